import type { Static, TSchema } from 'typebox'
import { Type } from '../model/type.ts'

/**
 * What may stand in isthmus.yaml (interface.md, "Settings"). This is the one source of the keys: environment variables, flags, the check
 * and the JSON Schema for editors are made of it. A string of format `path` is a file or folder; relative ones count from the folder of
 * the settings file (from the working folder, if given by flag or environment). Defaults are those of load.ts.
 */
const path = (description: string) => Type.String({ format: 'path', minLength: 1, description })
const listen = (description: string) => Type.String({ format: 'listen', description })
const cidrs = (description: string) => Type.Array(Type.String({ format: 'cidr' }), { description })
const closed = { additionalProperties: false }
const choice = <const Names extends readonly string[]>(names: Names, description: string) =>
  Type.Unsafe<Names[number]>({ type: 'string', enum: [...names], description })

const tls = Type.Object(
  {
    certFile: Type.Optional(path('PEM certificate chain')),
    keyFile: Type.Optional(path('PEM private key')),
    clientCaFile: Type.Optional(path('PEM certificates of the authorities that sign client certificates; set: clients must show one')),
  },
  { ...closed, description: 'TLS of this listener; absent or empty: cleartext' },
)

const addresses = Type.Object(
  {
    allow: Type.Optional(cidrs('special ranges that are let in, e.g. 127.0.0.0/8; loopback and link-local are refused otherwise')),
    only: Type.Optional(cidrs('all other addresses must lie in one of these; empty: no restriction')),
  },
  { ...closed, description: 'which addresses endpoints may have' },
)

const token = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'shown as the actor of what it does' }),
    role: choice(['read', 'operate', 'admin'], 'what it may do'),
    file: path('file that holds the token; read again when it changes'),
  },
  closed,
)

const manifests = Type.Object(
  {
    type: choice(['directory', 'kubernetes'], 'where the objects are read'),
    path: Type.Optional(path('directory: folder of *.yaml files, watched')),
    source: Type.Optional(Type.String({ minLength: 1, description: 'kubernetes: name of the source whose cluster is read' })),
    status: Type.Optional(Type.Boolean({ description: 'kubernetes: write what became of each object into its status (true)' })),
    publish: Type.Optional(
      Type.Object(
        {
          service: Type.Optional(
            Type.String({ pattern: '^[^/\\s]+/[^/\\s]+$', description: 'namespace/name of the Service whose addresses Ingresses get' }),
          ),
          addresses: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'addresses or host names Ingresses get' })),
        },
        { ...closed, description: 'kubernetes: what is written into the status of Ingresses' },
      ),
    ),
  },
  closed,
)

const guardSeconds = (description: string) => Type.Optional(Type.Number({ minimum: 0, maximum: 30 * 86_400, description }))
const guards = Type.Object(
  {
    enabled: Type.Optional(Type.Boolean({ description: 'false: what the source says is believed at once (true)' })),
    emptyHoldSeconds: guardSeconds('a service that is suddenly empty is kept so long, then read again and believed (30); 0: not at all'),
    shrinkPercent: Type.Optional(
      Type.Number({ minimum: 1, maximum: 100, description: 'a service of at least 4 endpoints that loses more at once is kept (50)' }),
    ),
    shrinkHoldSeconds: guardSeconds('so long at most, unless further reads confirm the loss step by step (900); 0: not at all'),
    sourceShrinkPercent: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 100,
        description: 'so does a source of at least 10 endpoints that loses more of all it has (20)',
      }),
    ),
    maxStaleSeconds: guardSeconds('a source that was not read for longer is expired (86400)'),
    onStale: Type.Optional(choice(['keep', 'degrade', 'drop'], 'what becomes of its endpoints then (keep)')),
  },
  { ...closed, description: 'what is believed of a source that loses endpoints without a witness, or falls silent' },
)

/** Keys that every source has. Its own are the plugin's. */
export const sourceBase = {
  name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$', description: 'unique; what the API and commands call it' }),
  type: Type.String({ minLength: 1, description: 'the mechanism, or ./file.ts of your own' }),
  namespace: Type.Optional(Type.String({ pattern: '^[^/\\s]+$', description: 'of its services that come without one (default)' })),
  addresses: Type.Optional(addresses),
  guards: Type.Optional(guards),
}

export const settingsSchema = Type.Object(
  {
    id: Type.Optional(Type.String({ minLength: 1, description: 'name of this gateway (host name)' })),
    ambassadorId: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
        description: 'which getambassador.io objects are ours (default); AMBASSADOR_ID is honoured too',
      }),
    ),
    state: Type.Optional(
      Type.Object({ path: Type.Optional(path('folder of the embedded database (./state); ":memory:" keeps nothing')) }, closed),
    ),
    ledger: Type.Optional(
      Type.Object(
        {
          days: Type.Optional(
            Type.Number({ exclusiveMinimum: 0, maximum: 3650, description: 'how long changes of endpoints are remembered (7)' }),
          ),
          megabytes: Type.Optional(Type.Number({ minimum: 1, maximum: 1_000_000, description: 'the oldest go beyond this size (256)' })),
        },
        { ...closed, description: 'the history of endpoints, kept in the embedded database' },
      ),
    ),
    xds: Type.Optional(
      Type.Object(
        {
          listen: Type.Optional(listen('where Envoys connect (127.0.0.1:18000)')),
          tls: Type.Optional(tls),
          verifyNode: Type.Optional(
            Type.Boolean({ description: 'a client certificate must name the node id or cluster that its client claims (true)' }),
          ),
          clientsPerSecond: Type.Optional(
            Type.Number({ exclusiveMinimum: 0, maximum: 100_000, description: 'how many new clients are let in, others wait (200)' }),
          ),
          connectionAgeSeconds: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              maximum: 31_536_000,
              description: 'connections end at about this age, so that clients spread over replicas again (never)',
            }),
          ),
        },
        closed,
      ),
    ),
    admin: Type.Optional(
      Type.Object(
        {
          listen: Type.Optional(listen('admin API, metrics and health (127.0.0.1:8877)')),
          tls: Type.Optional(tls),
          tokens: Type.Optional(Type.Array(token, { description: 'bearer tokens; none: everybody who reaches the address is admin' })),
        },
        closed,
      ),
    ),
    agents: Type.Optional(
      Type.Object({ listen: Type.Optional(listen('where VM agents register (127.0.0.1:18090)')), tls: Type.Optional(tls) }, closed),
    ),
    envoy: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(choice(['none', 'supervise'], 'supervise: start and drain our own Envoy (none)')),
          path: Type.Optional(Type.String({ minLength: 1, format: 'program', description: 'the Envoy program (envoy, from PATH)' })),
          adminPort: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, description: "Envoy's admin port (19000)" })),
          drainSeconds: Type.Optional(Type.Number({ minimum: 0, maximum: 86_400, description: 'time to drain before it ends (30)' })),
          quietSeconds: Type.Optional(
            Type.Number({ minimum: 0, maximum: 86_400, description: 'it ends earlier when nobody came for so long (1)' }),
          ),
          ready: Type.Optional(listen('where it answers /ready, for load balancers in front (nowhere)')),
          zone: Type.Optional(
            Type.String({ minLength: 1, description: 'where it runs: a ServicePool may prefer endpoints of the same zone' }),
          ),
          region: Type.Optional(Type.String({ minLength: 1, description: 'where its zone is' })),
        },
        closed,
      ),
    ),
    defaults: Type.Optional(Type.Object({ addresses: Type.Optional(addresses) }, { ...closed, description: 'for every source' })),
    manifests: Type.Optional(
      Type.Array(manifests, { description: 'where the objects of the configuration are (the folder ./manifests, if there is one)' }),
    ),
    sources: Type.Optional(
      Type.Array(Type.Object(sourceBase, { additionalProperties: true }), {
        description: 'registries and other places that know endpoints',
      }),
    ),
    trust: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        uniqueItems: true,
        description:
          'names or types of sources, first the one that decides where several know an endpoint (vm, kubernetes, consul, dns, file)',
      }),
    ),
    startup: Type.Optional(
      Type.Object(
        {
          gateSeconds: Type.Optional(Type.Number({ minimum: 0, maximum: 3600, description: 'longest wait for the first sync (30)' })),
          knownSeconds: Type.Optional(
            Type.Number({ minimum: 0, maximum: 3600, description: 'longest wait where the rest is known from before the start (5)' }),
          ),
        },
        closed,
      ),
    ),
    log: Type.Optional(
      Type.Object(
        { level: Type.Optional(choice(['trace', 'debug', 'info', 'warn', 'error'], 'least level that is logged (info)')) },
        closed,
      ),
    ),
  },
  { ...closed, title: 'isthmus.yaml' },
)

export type SettingsFile = Static<typeof settingsSchema>

/** Keys that interface.md names and that no code reads yet: refused, because to ignore them in silence could open a door. */
export const notBuilt: ReadonlyMap<string, string> = new Map([
  ['agents.bootstrapTokens', 'not built yet: agents are not authenticated, keep agents.listen on a trusted network'],
  ['agents.allow', 'not built yet: agents are not restricted, keep agents.listen on a trusted network'],
])

/**
 * The schema of a source's own keys as it is checked: objects that do not say otherwise take no unknown keys.
 * @param schema a plugin's schema
 */
export function closeObjects(schema: TSchema): Record<string, unknown> {
  const copy = JSON.parse(JSON.stringify(schema)) as unknown
  close(copy)
  return copy as Record<string, unknown>
}

function close(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const item of node) close(item)
    return
  }
  const schema = node as Record<string, unknown>
  if (schema['type'] === 'object' && schema['properties'] !== undefined && schema['additionalProperties'] === undefined)
    schema['additionalProperties'] = false
  // Parts of an intersection must not refuse each other's keys.
  for (const [key, value] of Object.entries(schema)) if (key !== 'allOf') close(value)
}
