import type { Static } from 'typebox'
import { Type } from '../../src/model/type.ts'

const Duration = (description: string, fallback: number) =>
  Type.Optional(Type.Number({ description, default: fallback, exclusiveMinimum: 0 }))

/** Keys of a source of type `consul`, beside those every source has. */
export const consulSchema = Type.Object({
  address: Type.Optional(
    Type.String({
      description: 'Consul agent: host, host:port or URL; without a port 8500, with https 8501',
      default: 'http://127.0.0.1:8500',
    }),
  ),
  datacenter: Type.Optional(Type.String({ description: "datacenter to read; the agent's own if left out" })),
  token: Type.Optional(
    Type.Object({
      file: Type.Optional(Type.String({ description: 'file with the ACL token, read again when it changes', format: 'path' })),
      value: Type.Optional(Type.String({ description: 'the ACL token itself; prefer a file' })),
    }),
  ),
  tls: Type.Optional(
    Type.Object({
      caFile: Type.Optional(Type.String({ description: "CA of the agent's certificate", format: 'path' })),
      certFile: Type.Optional(Type.String({ description: 'client certificate', format: 'path' })),
      keyFile: Type.Optional(Type.String({ description: 'key of the client certificate', format: 'path' })),
      serverName: Type.Optional(Type.String({ description: "name in the agent's certificate, if not its host name" })),
    }),
  ),
  consulNamespace: Type.Optional(
    Type.String({ description: "Consul Enterprise namespace; `namespace` is that of Isthmus's service keys" }),
  ),
  partition: Type.Optional(Type.String({ description: 'Consul Enterprise admin partition' })),
  warning: Type.Optional(
    Type.Union([Type.Literal('healthy'), Type.Literal('degraded'), Type.Literal('unhealthy')], {
      description: 'what an instance with a warning check and no critical one is',
      default: 'healthy',
    }),
  ),
  noChecks: Type.Optional(
    Type.Union([Type.Literal('healthy'), Type.Literal('unknown')], {
      description: 'what an instance without checks is',
      default: 'healthy',
    }),
  ),
  nodeChecks: Type.Optional(
    Type.Union([Type.Literal('all'), Type.Literal('none'), Type.Array(Type.String())], {
      description: "which checks of an instance's node count, by check id or name",
      default: 'all',
    }),
  ),
  requiredChecks: Type.Optional(
    Type.Union([Type.Literal('all'), Type.Literal('any'), Type.Integer({ minimum: 1 })], {
      description: "how many of an instance's own checks must not be critical",
      default: 'all',
    }),
  ),
  ignoreChecks: Type.Optional(Type.Array(Type.String(), { description: 'checks that never count, by check id or name' })),
  network: Type.Optional(
    Type.Union([Type.Literal('lan'), Type.Literal('wan')], { description: 'which tagged addresses Envoys can reach', default: 'lan' }),
  ),
  weightMultiplier: Type.Optional(
    Type.Number({ description: "factor on every weight of this source; Consul's 1 is 100", default: 1, exclusiveMinimum: 0 }),
  ),
  weightReference: Type.Optional(
    Type.Number({ description: 'the weight in Consul that means an ordinary instance', default: 1, exclusiveMinimum: 0 }),
  ),
  mesh: Type.Optional(
    Type.Boolean({ description: 'also take sidecar proxies and gateways, which are no services to call', default: false }),
  ),
  connect: Type.Optional(
    Type.Union([Type.Boolean(), Type.String({ minLength: 1 })], {
      description:
        'reach services through Consul Connect where they are in it: their sidecars instead of themselves, by mutual TLS; the name of the service as which Envoys show themselves, or true for isthmus',
      default: false,
    }),
  ),
  ignoreKubernetesSynced: Type.Optional(
    Type.Union([Type.Boolean(), Type.Array(Type.String({ minLength: 1 }))], {
      description:
        'leave out instances that consul-k8s copied from a cluster, or from these namespaces of it; left out itself: those that sources of type kubernetes read',
    }),
  ),
  watches: Type.Optional(
    Type.Object({
      maxConnections: Type.Optional(
        Type.Integer({
          description:
            'connections to the agent (its limit per client is 200 unless limits.http_max_conns_per_client is raised); services beyond are polled',
          default: 128,
          minimum: 2,
        }),
      ),
      waitSeconds: Duration('longest blocking query', 300),
      readsPerSecond: Duration('reads of one service per second under steady change; the first two of a burst are never delayed', 10),
      pollSeconds: Duration('how often services beyond the connections, and those that change without end, are read', 15),
    }),
  ),
})

export type ConsulSettings = Static<typeof consulSchema>
