import { createAdmin } from './admin/app.ts'
import { compileSteps } from './compile/emissary/compile.ts'
import type { CompileInput } from './compile/emissary/input.ts'
import { AgentsListener } from './compose/agents-listener.ts'
import { Gate } from './compose/gate.ts'
import { consulSources, knownSources } from './compose/known-sources.ts'
import { keepTable } from './compose/last-known.ts'
import { listen } from './compose/listen.ts'
import { ManifestHost } from './compose/manifest-host.ts'
import { ManifestSources } from './compose/manifest-sources.ts'
import { Opening } from './compose/opening.ts'
import { openOperate } from './compose/operate.ts'
import { startOwnEnvoy } from './compose/own-envoy.ts'
import { OwnListeners } from './compose/own-listeners.ts'
import { poolNames } from './compose/pool-names.ts'
import { readBody } from './compose/read-body.ts'
import { Rejections } from './compose/rejections.ts'
import { Serving } from './compose/serving.ts'
import { Sources } from './compose/sources.ts'
import { openState } from './compose/state.ts'
import { TableKnowledge } from './compose/table-knowledge.ts'
import { tentativeWhile } from './compose/tentative.ts'
import { whatIfDesk } from './compose/what-if.ts'
import { listenXds, xdsOptions } from './compose/xds-listener.ts'
import { xdsObserver } from './compose/xds-observer.ts'
import type { SourceLog, KnownPlugins } from './discovery/contract.ts'
import { SourceHost } from './discovery/host.ts'
import { poolGuards } from './discovery/pool-guards.ts'
import { systemClock as clock } from './discovery/system-clock.ts'
import { WantedSet } from './discovery/wanted-set.ts'
import { ManifestStore } from './manifests/store.ts'
import { systemTimers } from './reconcile/timers.ts'
import type { Settings } from './settings/settings.ts'
import { EndpointTable } from './table/endpoint-table.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { version } from './version.ts'
import { selectEndpoints } from './xds/generate/select-endpoints.ts'
import { servedHealth } from './xds/generate/served-health.ts'
import { createXdsServer } from './xds/server.ts'

/** One running gateway. */
export interface Gateway {
  /**
   * Listens and starts everything; resolves when all addresses answer. Readiness comes later, see `/readyz`.
   * @throws IsthmusError `settings-invalid` for a source that cannot be made, `listen-failed`, or `tool-missing` for Envoy; all is stopped then
   */
  start(): Promise<void>
  /** Drains and stops everything it started; may be called at any time, also twice. */
  stop(): Promise<void>
  /**
   * Takes changed settings: sources and manifests follow at once. Gives the keys that only a restart can change.
   * @throws IsthmusError `settings-invalid`, nothing changed then
   */
  reload(settings: Settings): Promise<readonly string[]>
  /** The ports where it listens, once started; those really taken where the settings say 0. */
  readonly addresses: { readonly xds: number; readonly admin: number; readonly agents: number }
}

export interface ComposeIo {
  readonly log: SourceLog
  /** For what the environment says about Consul and to ConsulResolver addresses; default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Streams end and Envoys reconnect elsewhere within this time on stop. */
const drainMs = 2000

/** Builds one gateway from its settings and wires its parts; nothing runs, listens or is read before `start`. */
export function compose(given: Settings, plugins: KnownPlugins, io: ComposeIo): Gateway {
  let settings = given
  const { log, environment = process.env } = io
  const random = Math.random
  const startedAt = clock.wall()
  const metrics = createMetrics({ version })

  const own = settings.envoy.mode === 'supervise' ? new OwnListeners() : undefined
  const table = new EndpointTable(() => serving.endpointsChanged(), {
    ...(own !== undefined && { isGateway: own.has.bind(own) }),
    now: () => clock.now(),
    after: (ms, task) => systemTimers.after(ms, task),
    overrides: service => operate.overrides.of(service),
    ...(settings.trust !== undefined && { trust: settings.trust }),
  })
  const state = openState(settings, clock, log)
  const operate = openOperate({ state, clock, random, log, table, settings })
  const kept = keepTable(table, { settings, state, clock, log })
  const knowledge = new TableKnowledge(
    table,
    settings.sources.map(source => source.namespace),
  )
  const store = new ManifestStore(settings.ambassadorId)
  const wanted = new WantedSet()
  /** As `namespace/name`. */
  const secrets = new WantedSet<string>()
  let guards = poolGuards([])
  const gate = new Gate()

  const compileInput = (of = store, known = knowledge): CompileInput => ({
    objects: of.objects(),
    hostsDeclared: of.hostsDeclared,
    known,
    consulSources: consulSources(settings),
    sources: knownSources(settings),
    environment,
    readFile: readBody,
    adminPort: settings.admin.listen.port,
    now: clock.wall(),
    sourceSecrets: sources.secrets(),
  })
  table.onChange(change => metrics.change('source_to_table', (clock.now() - change.receivedAt) / 1000))
  const serving = new Serving({
    ...{ ids: settings.ambassadorId, table, knowledge, clock, log, prepare: () => store.checking(), input: () => compileInput() },
    isTentative: tentativeWhile(() => host.incomplete),
    adopt(compiled, objects) {
      store.settle(objects, compiled)
      secrets.replace(compiled.secrets)
      table.follow(compiled.pools, clock.now())
      guards = poolGuards(compiled.pools)
      if (own?.follow(compiled.table.listeners) === true) table.gatewayMoved(clock.now())
      table.settle()
    },
    // Sources that cannot watch everything watch what is asked for.
    want: services => wanted.replace(services.flatMap(key => table.basesOf(key))),
    request: compiled => sources.request(settings, compiled.consulRequests, poolNames(compiled.pools, settings)),
  })
  store.onChange(() => serving.structureChanged())

  const host = new SourceHost({ sink: kept.sink, wanted, clock, random, guardsOf: service => guards.get(service) }, () => {
    serving.confirm()
    opening.look()
  })
  const sources = new Sources({
    ...{ host, plugins, log, environment, recall: one => kept.recall(one), forget: name => kept.forget(name) },
    onSecrets: () => serving.structureChanged(),
  })
  const manifests = new ManifestHost({
    secrets,
    statuses: { read: () => objects.statuses(), onChange: callback => objects.onChange(callback) },
    begin: name => store.begin(name),
    forget: name => store.remove(name),
    clock,
    random,
    log,
    onSynced: () => opening.look(),
  })
  const xds = createXdsServer({
    ...{ cache: serving.cache, id: settings.id, log, clock, random, gate },
    observe: xdsObserver(
      metrics,
      () => clock.now(),
      log,
      () => objects.nacked(),
    ),
    ...xdsOptions(settings.xds),
    viewOf: node => serving.cacheOf(node),
  })

  const objects = new Rejections({ store, proxies: xds.proxies, routeTable: () => serving.routeTable, timers: systemTimers })

  const opening = new Opening({
    ...{ gate, startup: settings.startup, host, manifests, table, serving, state },
    onOpen() {
      log.info({ seconds: (clock.wall() - startedAt) / 1000, synced: host.allSynced }, 'ready')
      operate.settled()
    },
  })
  const leases = () => sources.leases()
  const whatIf = whatIfDesk({
    ...{ host, sources, operate, table, store, serving },
    compile: (other, imagined) => compileSteps(compileInput(other, knowledge.of(imagined))),
  })
  const admin = createAdmin(
    {
      id: settings.id,
      version,
      startedAt,
      clock,
      table,
      sources: host,
      proxies: xds.proxies,
      objects,
      routeTable: () => serving.routeTable,
      dynamicAssignments: () => serving.dynamicAssignments,
      select: selectEndpoints,
      told: servedHealth,
      leases,
      overrides: operate.overrides,
      ledger: operate.ledger,
      record: event => operate.ledger.record({ ...event, revision: table.revision }),
      whatIf,
      ready: () => opening.readiness(),
      metrics: metrics.registry,
    },
    { tokens: settings.admin.tokens, log, ...(settings.admin.tls === undefined ? {} : { tls: settings.admin.tls }) },
  )
  metrics.observe({
    table,
    sources: host,
    proxies: xds.proxies,
    objects: store,
    leases,
    resources: () => serving.cache.counts(),
    retirement: () => serving.cache.retirement,
  })

  const agents = new AgentsListener(log)
  let envoy: { stop(): Promise<void> } | undefined
  let xdsListener: { readonly port: number; close(): void } | undefined
  const ended = new AbortController()
  let stopping: Promise<void> | undefined
  const addresses = { xds: 0, admin: 0, agents: 0 }

  const manifestSources = new ManifestSources({ host: manifests, plugins, environment })

  const serveAgents = async (): Promise<void> => {
    addresses.agents = await agents.serve(sources.agentRoutes, settings.agents)
  }

  const start = async (): Promise<void> => {
    kept.follow(() => host.statuses(), ended.signal)
    operate.start()
    await sources.configure(settings)
    addresses.admin = await listen(admin, 'admin.listen', settings.admin.listen)
    await serveAgents()
    xdsListener = await listenXds(xds, settings.xds, log)
    addresses.xds = xdsListener.port
    await manifestSources.follow(settings)
    opening.begin()
    if (settings.envoy.mode === 'supervise') envoy = await startOwnEnvoy(settings, xds, { clock, random, log })
    log.info({ ...addresses }, 'listening')
  }

  const stop = async (): Promise<void> => {
    opening.stop()
    xdsListener?.close()
    ended.abort()
    await envoy?.stop()
    await Promise.all([manifests.stop(), host.stop()])
    serving.stop()
    operate.stop()
    objects.stop()
    table.close()
    await Promise.all([admin.close(), agents.close(), xds.close(drainMs)])
    await state.close()
    serving.close()
    metrics.close()
  }

  return {
    addresses,
    async start() {
      try {
        await start()
      } catch (error) {
        await (stopping ??= stop())
        throw error
      }
    },
    stop: () => (stopping ??= stop()),
    async reload(next) {
      await sources.configure(next)
      const fixed = (['id', 'state', 'xds', 'admin', 'agents', 'envoy', 'ambassadorId', 'trust'] as const).filter(
        key => JSON.stringify(next[key]) !== JSON.stringify(settings[key]),
      )
      settings = { ...settings, sources: next.sources, manifests: next.manifests, defaults: next.defaults }
      await serveAgents()
      await manifestSources.follow(next)
      serving.structureChanged()
      log.info({ restartFor: fixed }, 'settings were read again')
      return fixed
    },
  }
}
