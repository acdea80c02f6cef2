import type { FastifyInstance } from 'fastify'
import { createAdmin } from '../../src/admin/app.ts'
import type { AdminOptions } from '../../src/admin/app.ts'
import type { AdminReaders, Readiness } from '../../src/admin/readers.ts'
import type { Clock, Lease } from '../../src/discovery/contract.ts'
import type { LeftOut, SourceStatus } from '../../src/discovery/status.ts'
import { noHttpServices } from '../../src/ir/http-services.ts'
import { emptyRouteTable, type RouteTable } from '../../src/ir/route-table.ts'
import type { ObjectStatus } from '../../src/manifests/status.ts'
import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import type { Ledger } from '../../src/operate/ledger.ts'
import { testLedger } from '../operate/test-ledger.ts'
import { testOverrides } from '../operate/test-overrides.ts'
import type { Overrides } from '../../src/operate/overrides.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import type { ProxyResourceStatus, ProxyStatus, Refusal } from '../../src/xds/status.ts'
import { servedHealth } from '../../src/xds/generate/served-health.ts'
import { selectEndpoints } from '../../src/xds/generate/select-endpoints.ts'

/** A clock that stands still: nobody waits for it, `sleep` ends by its signal or by `ring`. */
class StillClock implements Clock {
  readonly #sleepers = new Set<() => void>()
  readonly #watchers: (() => void)[] = []

  now(): number {
    return 1_000_000
  }

  /** Wall clock ms. */
  wallMs = Date.UTC(2026, 0, 1, 12)

  wall(): number {
    return this.wallMs
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve()
    return new Promise(resolve => {
      const end = () => {
        this.#sleepers.delete(end)
        resolve()
      }
      this.#sleepers.add(end)
      signal?.addEventListener('abort', end)
      for (const watcher of this.#watchers.splice(0)) watcher()
    })
  }

  /** Resolves once somebody sleeps. */
  async asleep(): Promise<void> {
    if (this.#sleepers.size === 0) await new Promise<void>(resolve => this.#watchers.push(resolve))
  }

  /** All time asked for is over. */
  ring(): void {
    for (const end of this.#sleepers) end()
  }
}

const dc1 = { name: 'dc1', type: 'consul' }
const vms = { name: 'vms', type: 'vm' }

/** A gateway with a real table and everything else made up: two services, two sources, one Envoy. */
export class FakeGateway {
  readonly clock = new StillClock()
  readonly table: EndpointTable = new EndpointTable(() => undefined, {
    now: () => 0,
    after: () => () => undefined,
    overrides: service => this.overrides.of(service),
    isGateway: (address, port) => this.ownListener === `${address} ${String(port)}`,
  })
  readonly overrides: Overrides = testOverrides(this.table, this.clock, {
    record: event => this.ledger.recordOverride(event, this.table.revision),
  })
  readonly resyncs: string[] = []
  sources: SourceStatus[] = [
    sourceStatus({ name: 'dc1', type: 'consul', ageSeconds: 1.5 }),
    sourceStatus({ name: 'vms', type: 'vm', state: 'stale', error: { code: 'source-failed', text: 'connection refused', count: 3 } }),
  ]
  proxies: ProxyStatus[] = [proxyStatus]
  resources: ProxyResourceStatus[] = [
    { name: 'default/web', state: 'pending', sentVersion: 'v2', ackedVersion: 'v1', currentVersion: 'v2' },
    { name: 'shop/pay', state: 'synced', sentVersion: 'v1', ackedVersion: 'v1', currentVersion: 'v1' },
  ]
  refusals: Refusal[] = []
  leftOut: LeftOut[] = []
  /** The gateway's own listener: `address port`. */
  ownListener = ''
  objects: ObjectStatus[] = objectStatuses
  routes: RouteTable = emptyRouteTable
  leases: Lease[] = [
    {
      agentId: 'vm-1',
      leaseId: 'l1',
      epoch: 2,
      state: 'up',
      services: [serviceKey('default', 'web')],
      ttlSeconds: 30,
      ageSeconds: 4,
      fenced: [],
    },
  ]
  readiness: Readiness = { ready: true, checks: [{ name: 'sources', ok: true, detail: 'all synced' }] }

  readonly ledger: Ledger = testLedger(this.table, this.clock)

  constructor() {
    this.put('dc1', 'default/web', [
      { address: '10.0.0.1', port: 8080, id: 'n1/web-1', portName: 'http', tags: ['v1'], meta: { stage: 'prod' } },
      {
        address: '10.0.0.2',
        port: 8080,
        id: 'n2/web-2',
        health: 'draining',
        reasons: [{ code: 'consul-maintenance', text: 'node n2 is in maintenance' }],
      },
    ])
    this.put('vms', 'default/web', [{ address: '10.0.0.1', port: 8080, id: 'vm-1/web', weight: 50 }])
    this.put('dc1', 'shop/pay', [{ address: '10.0.0.9', port: 9090, id: 'n1/pay', locality: { region: '', zone: 'b', subzone: '' } }])
  }

  /** Replaces what a source says of a service. */
  put(source: 'dc1' | 'vms', key: string, endpoints: readonly (Pick<Endpoint, 'address' | 'port' | 'id'> & Partial<Endpoint>)[]): void {
    const [namespace = '', name = ''] = key.split('/')
    const group = { id: key, service: serviceKey(namespace, name), endpoints: endpoints.map(makeEndpoint) }
    this.table.apply(source === 'dc1' ? dc1 : vms, [group], 0)
    this.table.settle()
  }

  get readers(): AdminReaders {
    return {
      id: 'edge-1',
      version: '1.2.3',
      startedAt: this.clock.wall() - 60_000,
      clock: this.clock,
      table: this.table,
      sources: {
        statuses: () => this.sources,
        leftOut: () => this.leftOut,
        resync: name => (this.resyncs.push(name), this.sources.some(one => one.name === name)),
        releaseGuard: name => this.sources.find(one => one.name === name)?.held,
        allSynced: true,
      },
      proxies: {
        proxies: () => this.proxies,
        proxy: nodeId => this.proxies.find(one => one.nodeId === nodeId),
        resources: (_nodeId, type) => (type === 'endpoint' ? this.resources : []),
        refusals: () => this.refusals,
      },
      objects: {
        statuses: () => this.objects,
        problems: () => [{ code: 'manifest-unreadable', at: 'b.yaml:1', text: 'no YAML' }],
        warnings: () => ['there is no Listener'],
      },
      routeTable: () => this.routes,
      select: selectEndpoints,
      told: servedHealth,
      whatIf: () => Promise.reject(new Error('not made up: see test/compose/what-if.test.ts')),
      leases: () => this.leases,
      overrides: this.overrides,
      ledger: this.ledger,
      record: event => this.ledger.record({ ...event, revision: this.table.revision }),
      ready: () => this.readiness,
      metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', metrics: () => Promise.resolve('isthmus_build_info 1\n') },
    }
  }
}

/** The API of a gateway, closed at the end of the test. */
export function open(t: { teardown(fn: () => unknown): void }, gateway = new FakeGateway(), options: AdminOptions = {}) {
  const app: FastifyInstance = createAdmin(gateway.readers, options)
  t.teardown(() => app.close())
  const get = async (url: string, headers: Record<string, string> = {}) => {
    const response = await app.inject({ method: 'GET', url, headers })
    return { status: response.statusCode, headers: response.headers, text: response.body, body: parse(response.body) }
  }
  return { app, gateway, get }
}

export type Json = Readonly<Record<string, unknown>>

/** A list in a body. */
export function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    // No JSON: the test looks at the text.
    return {}
  }
}

function sourceStatus(given: Partial<SourceStatus> & Pick<SourceStatus, 'name' | 'type'>): SourceStatus {
  return {
    state: 'live',
    lastSuccess: Date.UTC(2026, 0, 1, 11, 59),
    ageSeconds: 60,
    error: undefined,
    notices: [],
    services: 1,
    endpoints: 2,
    held: 0,
    holds: [],
    restarts: 0,
    ...given,
  }
}

const at = Date.UTC(2026, 0, 1, 11, 59, 58)
const proxyStatus: ProxyStatus = {
  nodeId: 'envoy-1',
  cluster: 'edge',
  version: '1.40.0',
  address: '10.0.0.50:1',
  place: undefined,
  connectedAt: at - 3_600_000,
  disconnectedAt: undefined,
  streams: 1,
  state: 'rejected',
  types: [
    {
      type: 'cluster',
      protocol: 'delta',
      subscribed: 'all',
      sent: 3,
      acked: 3,
      nacked: 0,
      lastSentAt: at,
      lastAckAt: at,
      pending: 0,
      lastNack: undefined,
      state: 'synced',
    },
    {
      type: 'route',
      protocol: 'delta',
      subscribed: 2,
      sent: 2,
      acked: 1,
      nacked: 1,
      lastSentAt: at,
      lastAckAt: undefined,
      pending: 1,
      lastNack: { text: 'bad regex', at, code: 3, names: ['http'] },
      state: 'rejected',
    },
  ],
}

const origin = { kind: 'Mapping', namespace: 'default', name: 'web', at: 'a.yaml:1' }
const objectStatuses: ObjectStatus[] = [
  {
    ref: origin,
    apiVersion: 'getambassador.io/v3alpha1',
    state: 'accepted',
    problems: [],
    notices: ['spec.docs has no effect: there is no developer portal'],
    lastGood: false,
  },
  {
    ref: { ...origin, name: 'pay', at: 'a.yaml:9' },
    apiVersion: 'getambassador.io/v3alpha1',
    state: 'refused',
    problems: [
      { path: 'spec.prefx', text: 'unknown field', at: 'a.yaml:12' },
      { path: 'spec.timeout_ms', text: 'expected a whole number of at least 0, got the text "3s"', at: 'a.yaml:14' },
    ],
    notices: [],
    lastGood: true,
  },
]

/** A route to default/web by port name, one to host reports, and one redirect. */
export const someRoutes: RouteTable = {
  http: noHttpServices,
  listeners: [
    {
      name: 'http-8080',
      address: '0.0.0.0',
      port: 8080,
      statPrefix: 'a',
      chains: [{ name: 'cleartext', serverNames: [], serve: { kind: 'http', routeConfig: 'http' } }],
      trustedHops: 0,
      securityModel: 'XFP',
      origin,
    },
  ],
  secrets: [],
  routeConfigs: [
    {
      name: 'http',
      virtualHosts: [
        {
          name: 'any',
          domains: ['*'],
          origin,
          routes: [
            {
              match: {
                path: { kind: 'exact', value: '/web/x', caseSensitive: true },
                headers: [{ name: ':method', kind: 'exact', value: 'GET' }],
                query: [],
                percent: 30,
              },
              action: { kind: 'forward', cluster: 'web', timeoutMs: 3000 },
              origins: [origin],
            },
            {
              match: { path: { kind: 'prefix', value: '/', caseSensitive: true }, headers: [], query: [] },
              action: { kind: 'https-redirect' },
              origins: [origin],
            },
          ],
        },
      ],
    },
  ],
  clusters: [
    {
      kind: 'eds',
      name: 'web',
      statName: 'web',
      loadBalancing: 'round_robin',
      connectTimeoutMs: 1,
      origins: [origin],
      assignment: {
        name: 'default/web',
        service: serviceKey('default', 'web'),
        port: { kind: 'name', name: 'http' },
        members: { kind: 'all' },
      },
    },
  ],
}
