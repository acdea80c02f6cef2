// The import law of docs/design.md as data: what each area may import from this repository, beside its own files.
// npm packages and Node's own modules are not its business, except in pure code (see the rules at the end).

const contracts = ['src/model/', 'src/discovery/contract\\.ts', 'src/manifests/(contract|object|status)\\.ts']
const telemetry = ['src/telemetry/']
/** Pure arithmetic of retries, for whoever retries. */
const backOff = ['src/discovery/back-off\\.ts']
/** An embedded database: for the gateway's own state, and for sources that keep some. */
const database = ['src/state/database\\.ts']
const wireLeaves = ['src/xds/(names|type-urls|codec|wire-form|wire-bytes|proto-json|resource|faults)\\.ts']
/** What shows the state of the gateway without being able to change it; overrides are the one narrow way in. */
const readers = ['src/table/(reader|pool-view|explain|conflicts|overrides|ledger)\\.ts', 'src/(discovery|manifests|xds)/status\\.ts']
const everythingInside = 'src/(?!cli/|main\\.ts|builtin-plugins\\.ts)'

const law = [
  { area: 'src/model/', may: [] },
  { area: 'src/ir/', may: ['src/model/'] },
  { area: 'src/table/', may: ['src/model/'] },
  { area: 'src/state/', may: [...contracts] },
  // Operators' decisions and the ledger: what is kept about the table, beside it.
  { area: 'src/operate/', may: ['src/model/', 'src/discovery/contract\\.ts', 'src/state/', 'src/table/'] },
  // What would be served if: the pure parts of the pipeline, run on copies. The desk in compose/ asks it.
  {
    area: 'src/what-if/',
    may: [
      'src/(model|ir|table|compile|manifests)/',
      'src/discovery/(aged-group|guard-bounds|pool-guards)\\.ts',
      'src/xds/generate/',
      ...wireLeaves,
    ],
  },
  { area: 'src/discovery/', may: ['src/model/', 'src/state/', ...telemetry] },
  // Manifest sources get the same clock, log and signal as discovery sources.
  { area: 'src/manifests/', may: ['src/model/', 'src/discovery/contract\\.ts', ...telemetry] },
  { area: 'src/settings/', may: [...contracts, ...telemetry] },
  { area: 'src/telemetry/', may: [...contracts, ...readers, ...wireLeaves] },
  { area: 'src/compile/', may: ['src/ir/', 'src/manifests/', 'src/model/'] },
  {
    area: 'src/xds/(names|type-urls|codec|wire-form|wire-bytes|proto-json|resource)\\.ts',
    may: ['src/model/', 'protos/descriptors\\.json', ...wireLeaves],
  },
  { area: 'src/xds/generate/', may: ['src/ir/', 'src/model/', 'src/table/reader\\.ts', ...wireLeaves] },
  // A gRPC server knows messages as bytes.
  { area: 'src/grpc/', may: [] },
  // The rest of xds knows neither endpoints nor routes.
  { area: 'src/xds/', except: 'src/xds/generate/', may: ['src/model/', 'src/grpc/', 'protos/descriptors\\.json', ...telemetry] },
  {
    area: 'src/reconcile/',
    may: ['src/model/', 'src/ir/', 'src/table/reader\\.ts', 'src/xds/generate/', 'src/xds/cache(/|\\.ts)', ...wireLeaves, ...telemetry],
  },
  { area: 'src/envoy/', may: [...contracts, ...backOff, 'src/settings/', ...telemetry] },
  { area: 'src/dashboard/', may: [] },
  {
    area: 'src/admin/',
    // ir, compile and manifests are pure or results: for objects, routes and what-if. The store is a writer.
    may: [...contracts, ...readers, ...wireLeaves, ...telemetry, 'src/(settings|dashboard|ir|compile|what-if)/', 'src/manifests/(?!store)'],
  },
  {
    area: 'src/cli/',
    // Of admin only types, see below.
    may: [
      ...contracts,
      ...readers,
      ...wireLeaves,
      ...telemetry,
      'src/compose(/|\\.ts)',
      'src/version\\.ts',
      'src/builtin-plugins\\.ts',
      'src/(settings|manifests|compile|ir|envoy|admin|xds/generate)/',
    ],
  },
  { area: 'src/main\\.ts', may: ['src/cli/'] },
  { area: 'src/builtin-plugins\\.ts', may: [...contracts, 'plugins/'] },
  // compose.ts and what it is split into wire everything together; plugins only through the explicit list.
  { area: 'src/(compose/|[^/]+\\.ts)', except: 'src/(main|builtin-plugins)\\.ts', may: [everythingInside, 'src/builtin-plugins\\.ts'] },
  { area: 'plugins/', may: [...contracts, ...backOff, ...database, 'src/discovery/polling\\.ts', 'protos/'] },
  { area: 'protos/', may: [] },
  { area: 'vm-agent/', may: ['protos/'] },
]

const inAny = prefixes => `^(${prefixes.join('|')})`

const lawRules = law.map(({ area, except, may }) => ({
  name: `law-of-${area}`,
  comment: `may import from this repository only ${may.join(', ') || 'its own files'}`,
  severity: 'error',
  from: { path: inAny([area]), ...(except && { pathNot: inAny([except]) }) },
  to: {
    path: inAny(['src/', 'plugins/', 'vm-agent/', 'protos/', 'test/']),
    pathNot: inAny([except ? `(?!${except})${area}` : area, ...may]),
  },
}))

const pureAreas = ['src/(model|ir|compile|xds/generate)/', 'src/table/(merge|explain)', 'src/xds/subscription', 'plugins/[^/]+/translate']
const effects = 'fs|http|https|http2|tls|dgram|dns|timers|child_process|worker_threads|cluster|sqlite|readline'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...lawRules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'unresolvable', comment: 'the law cannot be checked on it', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'plugins-know-nothing-of-each-other',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: { path: '^plugins/', pathNot: '^plugins/$1/' },
    },
    {
      name: 'commands-take-only-types-from-admin',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/admin/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'model-needs-no-package',
      comment: 'types of one are no need',
      severity: 'error',
      from: { path: '^src/model/' },
      to: { path: 'node_modules/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'pure-code-has-no-effects',
      comment: 'values in, values out: no clock, no log, no promise, no input or output',
      severity: 'error',
      from: { path: inAny(pureAreas) },
      to: { path: `^(node:)?(${effects})(/|$)`, dependencyTypes: ['core'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: `${__dirname}/tsconfig.json` },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
