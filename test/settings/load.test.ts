import { mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Type } from '../../src/model/type.ts'
import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { effectiveSettings } from '../../src/settings/effective.ts'
import { settingsJsonSchema } from '../../src/settings/json-schema.ts'
import { settingsKeys } from '../../src/settings/keys.ts'
import { parseListenAddress } from '../../src/settings/listen-address.ts'
import { loadSettings } from '../../src/settings/load.ts'

const registry: SourcePlugin = {
  type: 'registry',
  schema: Type.Object({
    address: Type.String({ format: 'uri' }),
    waitSeconds: Type.Optional(Type.Integer({ minimum: 1, default: 60 })),
    token: Type.Optional(Type.Object({ file: Type.String({ format: 'path' }) })),
    store: Type.Optional(Type.Union([Type.Literal('memory'), Type.Literal('disk')])),
  }),
  create: () => ({ source: { run: () => Promise.resolve() } }),
}

const given = { env: {}, flags: {}, plugins: [registry] }

/** What loadSettings says of a file with this content. */
function errorsOf(cwd: string, content: string, more: Partial<typeof given> = {}): string[] {
  writeFileSync(join(cwd, 'isthmus.yaml'), content)
  try {
    loadSettings({ ...given, ...more, cwd })
  } catch (error) {
    if (error instanceof IsthmusError && error.code === 'settings-invalid') return error.message.split('\n')
    throw error
  }
  return []
}

t.test('without a file everything has its default, and ./manifests is read if it exists', async t => {
  const cwd = t.testdir()
  const settings = loadSettings({ ...given, cwd })
  t.strictSame(settings, {
    id: hostname(),
    ambassadorId: ['default'],
    state: { path: join(cwd, 'state') },
    ledger: { days: 7, megabytes: 256 },
    xds: { listen: { host: '127.0.0.1', port: 18_000 } },
    admin: { listen: { host: '127.0.0.1', port: 8877 }, tokens: [] },
    agents: { listen: { host: '127.0.0.1', port: 18_090 } },
    envoy: { mode: 'none', path: 'envoy', adminPort: 19_000, drainSeconds: 30, quietSeconds: 1 },
    defaults: { addresses: { allow: [], only: [] } },
    manifests: [],
    sources: [],
    startup: { gateSeconds: 30, knownSeconds: 5 },
    log: { level: 'info' },
  })
  mkdirSync(join(cwd, 'manifests'))
  t.strictSame(loadSettings({ ...given, cwd }).manifests, [{ type: 'directory', path: join(cwd, 'manifests') }])
})

t.test('a file sets everything; relative paths count from its folder, a plugin gets its own keys with their defaults', async t => {
  const cwd = t.testdir({
    etc: {
      'gateway.yaml': `
id: edge-1
ambassadorId: [default, edge]
state: { path: ":memory:" }
xds: { listen: "[::1]:18000", tls: { certFile: tls/cert.pem, keyFile: /abs/key.pem, clientCaFile: tls/ca.pem } }
admin: { listen: ":8877", tls: {}, tokens: [{ name: ops, role: operate, file: ops.token }] }
envoy: { path: ./bin/envoy }
defaults: { addresses: { allow: [127.0.0.0/8] } }
manifests: [{ type: directory, path: ./objects }]
sources:
  - { name: dc1, type: registry, address: "http://127.0.0.1:8500", token: { file: dc1.token }, store: null, addresses: { only: [10.0.0.0/8] } }
  - { name: mine, type: ./mine.ts, anything: { else: 1 } }
`,
    },
  })
  const etc = join(cwd, 'etc')
  const settings = loadSettings({ ...given, cwd, file: 'etc/gateway.yaml' })
  t.match(settings, {
    id: 'edge-1',
    ambassadorId: ['default', 'edge'],
    state: { path: ':memory:' },
    xds: {
      listen: { host: '::1', port: 18_000 },
      tls: { certFile: join(etc, 'tls/cert.pem'), keyFile: '/abs/key.pem', clientCaFile: join(etc, 'tls/ca.pem') },
    },
    admin: { listen: { host: '0.0.0.0', port: 8877 }, tokens: [{ name: 'ops', role: 'operate', file: join(etc, 'ops.token') }] },
    envoy: { path: join(etc, 'bin/envoy') },
    manifests: [{ type: 'directory', path: join(etc, 'objects') }],
  })
  t.notOk('tls' in settings.admin, 'an empty tls is none')
  t.strictSame(settings.sources, [
    {
      name: 'dc1',
      namespace: 'default',
      addresses: { allow: ['127.0.0.0/8'], only: ['10.0.0.0/8'] },
      type: 'registry',
      own: { address: 'http://127.0.0.1:8500', token: { file: join(etc, 'dc1.token') }, waitSeconds: 60 },
    },
    {
      name: 'mine',
      namespace: 'default',
      addresses: { allow: ['127.0.0.0/8'], only: [] },
      type: join(etc, 'mine.ts'),
      own: { anything: { else: 1 } },
    },
  ])
})

t.test('flags win over the environment, the environment over the file; their paths count from the working folder', async t => {
  const cwd = t.testdir({
    etc: { 'isthmus.yaml': 'id: file\nlog: { level: warn }\nenvoy: { adminPort: 1 }\nambassadorId: x\nxds: { listen: ":1" }\n' },
  })
  const settings = loadSettings({
    ...given,
    cwd,
    file: 'etc/isthmus.yaml',
    env: {
      ISTHMUS_ID: 'env',
      ISTHMUS_LOG_LEVEL: 'debug',
      ISTHMUS_ENVOY_ADMIN_PORT: '19001',
      ISTHMUS_STATE_PATH: 'data',
      ISTHMUS_XDS_LISTEN: '',
      ISTHMUS_SOURCES: '[{ name: dc1, type: registry, address: "http://a" }]',
      AMBASSADOR_ID: 'a, b',
    },
    flags: { id: 'flag', 'defaults.addresses.allow': '127.0.0.0/8,169.254.0.0/16' },
  })
  t.match(settings, {
    id: 'flag',
    log: { level: 'debug' },
    envoy: { adminPort: 19_001 },
    state: { path: join(cwd, 'data') },
    xds: { listen: { port: 1 } },
    ambassadorId: ['a', 'b'],
    defaults: { addresses: { allow: ['127.0.0.0/8', '169.254.0.0/16'] } },
    sources: [{ name: 'dc1', own: { address: 'http://a' } }],
  })
  t.strictSame(loadSettings({ ...given, cwd, env: { AMBASSADOR_ID: 'a', ISTHMUS_AMBASSADOR_ID: 'b' } }).ambassadorId, ['b'])
})

t.test('every key has its variable and flag', async t => {
  const names = settingsKeys.map(key => `${key.name} ${key.env} ${key.flag}`)
  t.ok(names.includes('envoy.adminPort ISTHMUS_ENVOY_ADMIN_PORT --envoy-admin-port'))
  t.ok(names.includes('xds.tls.clientCaFile ISTHMUS_XDS_TLS_CLIENT_CA_FILE --xds-tls-client-ca-file'))
  t.ok(names.includes('sources ISTHMUS_SOURCES --sources'))
  t.equal(new Set(settingsKeys.map(key => key.env)).size, settingsKeys.length)
})

t.test('each mistake is named with its line, key and what was meant', async t => {
  const cwd = t.testdir()
  const source = 'sources:\n  - name: dc1\n    type: registry\n    address: http://a\n'
  const cases: [string, string, string][] = [
    ['unknown key', 'id: a\nxds:\n  listn: ":1"\n', 'isthmus.yaml:3: xds.listn: unknown key; did you mean "listen"?'],
    [
      'unknown section',
      'zzz: 1\n',
      'isthmus.yaml:1: zzz: unknown key; known here: id, ambassadorId, state, ledger, xds, admin, agents, envoy, defaults, manifests, sources, trust, startup, log',
    ],
    ['wrong type', 'envoy:\n  adminPort: "x"\n', 'isthmus.yaml:2: envoy.adminPort: must be a whole number, not "x"'],
    ['number out of range', 'envoy: { adminPort: 70000 }\n', 'isthmus.yaml:1: envoy.adminPort: must be <= 65535, not 70000'],
    ['section that is none', 'xds: 5\n', 'isthmus.yaml:1: xds: must be a mapping (key: value), not 5'],
    [
      'choice',
      'envoy: { mode: supervised }\n',
      'isthmus.yaml:1: envoy.mode: must be one of none, supervise, not "supervised"; did you mean "supervise"?',
    ],
    ['union', 'ambassadorId: 5\n', 'isthmus.yaml:1: ambassadorId: must be text or a list, not 5'],
    [
      'listen address',
      'xds: { listen: "http://127.0.0.1:1" }\n',
      'isthmus.yaml:1: xds.listen: must be an address to listen on, host:port, such as 127.0.0.1:18000, :18000 or [::1]:18000, not "http://127.0.0.1:1"',
    ],
    [
      'network',
      'defaults: { addresses: { only: [10.0.0.0/99] } }\n',
      'isthmus.yaml:1: defaults.addresses.only[0]: must be a network such as 10.0.0.0/8, not "10.0.0.0/99"',
    ],
    [
      'half a certificate',
      'xds:\n  tls: { certFile: a }\n',
      'isthmus.yaml:2: xds.tls: key "keyFile" is missing: TLS needs a certificate and its key',
    ],
    ['not a mapping', '- a\n', 'isthmus.yaml:1: must be a mapping (key: value), not a list'],
    ['key twice', 'id: a\nid: b\n', 'isthmus.yaml:2: Map keys must be unique'],
    ['no YAML', 'id: a\nxds: {\n', 'isthmus.yaml:3: '],
    ['source without a name', 'sources:\n  - type: registry\n', 'isthmus.yaml:2: sources[0]: key "name" is missing'],
    [
      'unknown source type',
      'sources:\n  - name: a\n    type: registri\n',
      'isthmus.yaml:3: sources[0].type: no source has the type "registri"; did you mean "registry"?',
    ],
    [
      'trust in nobody',
      `${source}trust: [dc1, registry, dc2]\n`,
      'isthmus.yaml:5: trust[2]: there is no source and no type of source "dc2"; did you mean "dc1"?',
    ],
    [
      'a name that the gateway needs itself',
      'sources: [{ name: pool-names, type: registry, address: "http://a" }]\n',
      'isthmus.yaml:1: sources[0].name: "pool-names" is the name of what looks up host names of ServicePools; choose another',
    ],
    ["a source's own key", `${source}    adress: x\n`, 'isthmus.yaml:5: sources[0].adress: unknown key; did you mean "address"?'],
    ["a source's common key", `${source}    namspace: x\n`, 'isthmus.yaml:5: sources[0].namspace: unknown key; did you mean "namespace"?'],
    [
      "a key inside a source's key",
      `${source}    token: { fil: x, file: y }\n`,
      'isthmus.yaml:5: sources[0].token.fil: unknown key; did you mean "file"?',
    ],
    ["a source's value", `${source}    waitSeconds: 0\n`, 'isthmus.yaml:5: sources[0].waitSeconds: must be >= 1, not 0'],
    [
      "a source's choice",
      `${source}    store: disc\n`,
      'isthmus.yaml:5: sources[0].store: must be one of memory, disk, not "disc"; did you mean "disk"?',
    ],
    [
      'two sources of one name',
      `${source}  - { name: dc1, type: registry, address: "http://b" }\n`,
      'isthmus.yaml:5: sources[1].name: "dc1" is already the name of sources[0]: names are unique',
    ],
    [
      'manifests of a cluster that is no source',
      'manifests:\n  - { type: kubernetes, source: dc1 }\n',
      'isthmus.yaml:2: manifests[0]: source "dc1" is none of type kubernetes; there is no source of type kubernetes; add one',
    ],
    [
      'manifests of a cluster without its name',
      'manifests:\n  - { type: kubernetes }\n',
      'isthmus.yaml:2: manifests[0]: key "source" is missing',
    ],
    [
      'a key of the other type of manifests',
      'manifests:\n  - { type: directory, path: a, status: false }\n',
      'isthmus.yaml:2: manifests[0].status: has no meaning with type directory; remove it',
    ],
    [
      'a folder of manifests without its path',
      'manifests:\n  - { type: directory }\n',
      'isthmus.yaml:2: manifests[0]: key "path" is missing: the folder of the manifests',
    ],
    [
      'a key to come',
      'agents:\n  allow: {}\n',
      'isthmus.yaml:2: agents.allow: not built yet: agents are not restricted, keep agents.listen on a trusted network',
    ],
  ]
  for (const [name, content, expected] of cases) {
    const errors = errorsOf(cwd, content)
    t.ok(errors.length > 0 && errors[0]?.startsWith(expected), name, { errors, expected })
    if (name !== 'no YAML') t.equal(errors.length, 1, `${name}: said once`, { errors })
  }
})

t.test('all mistakes come in one error, those of flags and variables with their names', async t => {
  const cwd = t.testdir()
  const errors = errorsOf(cwd, 'xdss: {}\nsources: [{ name: a, type: registry, address: "no url" }]\n', {
    env: { ISTHMUS_XDS_LISTEM: 'x', ISTHMUS_LOG_LEVEL: 'loud', ISTHMUS_MANIFESTS: '[{' },
    flags: { 'envoy.adminPort': 'many' },
  })
  t.strictSame(errors.sort(), [
    '--envoy-admin-port: envoy.adminPort: must be a whole number, not "many"',
    'ISTHMUS_LOG_LEVEL: log.level: must be one of trace, debug, info, warn, error, not "loud"',
    ...errors.filter(line => line.startsWith('ISTHMUS_MANIFESTS: no YAML or JSON: ')),
    'environment: ISTHMUS_XDS_LISTEM is no setting; did you mean ISTHMUS_XDS_LISTEN?',
    'isthmus.yaml:1: xdss: unknown key; did you mean "xds"?',
    'isthmus.yaml:2: sources[0].address: must be a URL such as http://127.0.0.1:8500, not "no url"',
  ])
  t.equal(errors.length, 6)
})

t.test('of a type whose agents register at fixed addresses there is one source', t => {
  const errors = errorsOf(t.testdir(), 'sources:\n  - { name: a, type: agents }\n  - { name: b, type: agents }\n', {
    plugins: [{ type: 'agents', schema: Type.Object({}), isSingle: true, create: registry.create }],
  })
  t.match(errors, [/^isthmus\.yaml:3: sources\[1\]\.type: there is a source of type agents already/])
  t.end()
})

t.test('variables of others that begin like ours are left alone', async t => {
  const cwd = t.testdir()
  const env = {
    ISTHMUS_ADMIN: 'http://x',
    ISTHMUS_TOKEN_FILE: 'x',
    ISTHMUS_ENVOY: '/usr/bin/envoy',
    ISTHMUS_PORT: 'tcp://10.0.0.1:80',
    ISTHMUS_SERVICE_HOST: '10.0.0.1',
    ISTHMUS_ADMIN_PORT_8877_TCP_ADDR: '10.0.0.1',
  }
  t.strictSame(errorsOf(cwd, '', { env }), [])
})

t.test('a file that is named must be readable', async t => {
  const cwd = t.testdir()
  t.throws(() => loadSettings({ ...given, cwd, file: 'none.yaml' }), { code: 'settings-unreadable', message: /none\.yaml.*ENOENT/ })
})

t.test('the effective settings give the same settings again, without secrets', async t => {
  const cwd = t.testdir()
  writeFileSync(
    join(cwd, 'isthmus.yaml'),
    'id: a\ntrust: [a]\nenvoy: { ready: ":8006" }\nsources: [{ name: a, type: ./x.ts, token: abc, token2: { file: f }, list: [{ password: b }] }]\n',
  )
  const settings = loadSettings({ ...given, cwd })
  const effective = effectiveSettings(settings)
  t.notMatch(JSON.stringify(effective), /abc|"b"/)
  t.match(effective, { sources: [{ token: '(set)', token2: { file: 'f' }, list: [{ password: '(set)' }] }] })
  writeFileSync(join(cwd, 'again.yaml'), JSON.stringify(effective))
  const again = loadSettings({ ...given, cwd, file: 'again.yaml' })
  t.strictSame({ ...again, sources: [] }, { ...settings, sources: [] })
})

t.test('the JSON Schema for editors knows the keys of the built-in sources', async t => {
  const schema = JSON.stringify(settingsJsonSchema([registry]))
  t.match(schema, /"waitSeconds"/)
  t.match(schema, /"const":"registry"/)
  t.match(schema, /"gateSeconds"/)
})

t.test('listen addresses', async t => {
  t.strictSame(parseListenAddress(':0'), { host: '0.0.0.0', port: 0 })
  t.strictSame(parseListenAddress('gateway.corp:1'), { host: 'gateway.corp', port: 1 })
  for (const bad of ['1', '127.0.0.1', '::1:80', '[::1]', '[x]:1', 'a:65536', 'a b:1', 'http://a:1'])
    t.equal(parseListenAddress(bad), undefined, bad)
})
