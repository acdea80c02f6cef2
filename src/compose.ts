import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { createAdmin } from './admin/app.ts'
import type { Readiness } from './admin/readers.ts'
import { compileSteps } from './compile/emissary/compile.ts'
import { CompileMemo } from './compile/emissary/compile-memo.ts'
import type { CompileInput, CompileResult } from './compile/emissary/input.ts'
import { createAgentsListener } from './compose/agents-listener.ts'
import { Gate } from './compose/gate.ts'
import { consulSources, knownSources } from './compose/known-sources.ts'
import { listen } from './compose/listen.ts'
import { ManifestHost } from './compose/manifest-host.ts'
import { ManifestSources } from './compose/manifest-sources.ts'
import { Rejections } from './compose/rejections.ts'
import { OwnListeners } from './compose/own-listeners.ts'
import { startOwnEnvoy } from './compose/own-envoy.ts'
import { keepTable } from './compose/last-known.ts'
import { openOperate } from './compose/operate.ts'
import { openState } from './compose/state.ts'
import { poolNames } from './compose/pool-names.ts'
import { readBody } from './compose/read-body.ts'
import { poolGuards } from './discovery/pool-guards.ts'
import { Sources } from './compose/sources.ts'
import { TableKnowledge } from './compose/table-knowledge.ts'
import { tentativeWhile } from './compose/tentative.ts'
import { Views } from './compose/views.ts'
import { whatIfDesk } from './compose/what-if.ts'
import { listenXds, xdsOptions } from './compose/xds-listener.ts'
import { xdsObserver } from './compose/xds-observer.ts'
import type { SourceLog, KnownPlugins } from './discovery/contract.ts'
import { SourceHost } from './discovery/host.ts'
import { systemClock as clock } from './discovery/system-clock.ts'
import { WantedSet } from './discovery/wanted-set.ts'
import { ManifestStore } from './manifests/store.ts'
import { OnDemand } from './reconcile/on-demand.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import { sharedAssignments } from './reconcile/shared.ts'
import { defaultBounds, Scheduler } from './reconcile/scheduler.ts'
import { systemTimers } from './reconcile/timers.ts'
import type { Steps } from './model/steps.ts'
import type { Settings } from './settings/settings.ts'
import { EndpointTable } from './table/endpoint-table.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { version } from './version.ts'
import { ResourceCache } from './xds/cache.ts'
import { generateAssignment } from './xds/generate/assignment.ts'
import { servedHealth } from './xds/generate/served-health.ts'
import { selectEndpoints } from './xds/generate/select-endpoints.ts'
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
  const table = new EndpointTable(() => scheduler.endpointsChanged(), {
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
  /** A defect of ours must not reach the client whose request led to it: what was served before goes on being served (xds.md L2). */
  const defect = (error: unknown): void =>
    log.error({ error }, 'a defect stopped a compilation, please report it; what was served before stays')
  const contained = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      defect(error)
    }
  }
  const cache = new ResourceCache({
    clock,
    names: {
      asked: key =>
        contained(() => {
          onDemand.asked(key)
          want()
        }),
      unasked: key => contained(() => onDemand.unasked(key)),
    },
  })
  const isTentative = tentativeWhile(() => host.incomplete)
  const onDemand = new OnDemand({ table, cache, isTentative })
  /** Sources that cannot watch everything watch what routes or clients ask for. */
  const want = (): void =>
    wanted.replace(
      [...reconciler.assignments.keys(), ...views.services(), ...onDemand.assignments.map(one => one.service)].flatMap(key =>
        table.basesOf(key),
      ),
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
  const memo = new CompileMemo()
  let compiled: CompileResult | undefined
  const generate = settings.ambassadorId.length > 1 ? sharedAssignments() : generateAssignment
  const reconciler = new Reconciler({
    table,
    cache,
    now: () => clock.now(),
    *compile() {
      const input = compileInput()
      return { ...(yield* compileSteps(input, memo)), objects: input.objects }
    },
    adopt(result) {
      compiled = result
      store.settle(result.objects, result)
      secrets.replace(result.secrets)
      table.follow(result.pools, clock.now())
      guards = poolGuards(result.pools)
      if (own?.follow(result.table.listeners) === true) table.gatewayMoved(clock.now())
      table.settle()
    },
    isTentative,
    generate,
    report: text => log.error({ problem: text }, 'a defect made a dangling reference, please report it; what was served before stays'),
  })
  const views = new Views({ ids: settings.ambassadorId, table, clock, isTentative, generate, input: () => compileInput() })
  /** Settles when the Consul sources that the last compilation asked for have been added. */
  let requested: Promise<void> = Promise.resolve()
  function* flushStructure(): Steps<void> {
    try {
      const again = yield* reconciler.flushStructure()
      if (compiled === undefined) return
      if ((yield* views.flushStructure()) || again) scheduler.structureChanged()
      onDemand.follow(compiled.grpc)
      want()
      requested = sources.request(settings, compiled.consulRequests, poolNames(compiled.pools, settings))
    } catch (error) {
      defect(error)
    }
  }
  const scheduler = new Scheduler(systemTimers, defaultBounds, { endpoints: () => table.settle(), structure: flushStructure })
  table.onChange(change => {
    metrics.change('source_to_table', (clock.now() - change.receivedAt) / 1000)
    const learned = knowledge.learn(change)
    onDemand.onTableChange(change)
    const structural = reconciler.onTableChange(change) || learned
    if (views.onTableChange(change) || structural) scheduler.structureChanged()
  })
  store.onChange(() => scheduler.structureChanged())
  // Certificates come to their end without an event, and objects say so.
  const hourly = setInterval(() => scheduler.structureChanged(), 3_600_000).unref()

  /** Everything that is to be waited for has been added: until then a source may be the only one, and in sync. */
  let isComplete = false
  /** Long enough was waited for sources that are known from before the start. */
  let isKnownEnough = false
  const allSynced = (): boolean => isComplete && (host.allSynced || (isKnownEnough && host.allKnown)) && manifests.allSynced
  const openWhenSynced = (): void => {
    if (gate.open || !allSynced()) return
    table.settle()
    // Objects may ask for Consul sources, whose first read is waited for like that of all others.
    const asked = scheduler.flushStructureNow().then(() => requested)
    void asked.then(() => {
      if (allSynced()) void openGate()
    })
  }
  const openGate = async (): Promise<void> => {
    table.settle()
    await scheduler.flushStructureNow()
    if (gate.open || stopping !== undefined) return
    log.info({ seconds: (clock.wall() - startedAt) / 1000, synced: host.allSynced }, 'ready')
    gate.release()
    operate.settled()
  }
  const host = new SourceHost({ sink: kept.sink, wanted, clock, random, guardsOf: service => guards.get(service) }, () => {
    reconciler.confirm()
    views.confirm()
    onDemand.confirm()
    openWhenSynced()
  })
  const sources = new Sources({
    ...{ host, plugins, log, environment, recall: one => kept.recall(one), forget: name => kept.forget(name) },
    onSecrets: () => scheduler.structureChanged(),
  })
  const manifests = new ManifestHost({
    secrets,
    statuses: { read: () => objects.statuses(), onChange: callback => objects.onChange(callback) },
    begin: name => store.begin(name),
    forget: name => store.remove(name),
    clock,
    random,
    log,
    onSynced: openWhenSynced,
  })
  const xds = createXdsServer({
    ...{ cache, id: settings.id, log, clock, random, gate },
    observe: xdsObserver(
      metrics,
      () => clock.now(),
      log,
      () => objects.nacked(),
    ),
    ...xdsOptions(settings.xds),
    viewOf: node => views.of(node) ?? cache,
  })

  const objects = new Rejections({ store, proxies: xds.proxies, routeTable: () => reconciler.routeTable, timers: systemTimers })

  const ready = (): Readiness => ({
    ready: gate.open && !stopping,
    checks: [
      { name: 'gate', ok: gate.open, detail: gate.open ? 'open' : 'waiting for the first sync of all sources' },
      ...host.statuses().map(source => ({
        name: `source ${source.name}`,
        ok: source.error === undefined && source.state !== 'syncing',
        detail: source.error?.text ?? source.state,
      })),
      { name: 'state', ok: state.problems.length === 0, detail: state.problems.join('; ') || 'kept' },
    ],
  })
  const leases = () => sources.leases()
  const whatIf = whatIfDesk({
    ...{ host, sources, operate, table, store, onDemand },
    async compiled() {
      await scheduler.flushStructureNow()
      return compiled
    },
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
      routeTable: () => reconciler.routeTable,
      dynamicAssignments: () => onDemand.assignments,
      select: selectEndpoints,
      told: servedHealth,
      leases,
      overrides: operate.overrides,
      ledger: operate.ledger,
      record: event => operate.ledger.record({ ...event, revision: table.revision }),
      whatIf,
      ready,
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
    resources: () => cache.counts(),
    retirement: () => cache.retirement,
  })

  let agents: FastifyInstance | undefined
  let agentRoutes: readonly FastifyPluginCallback[] = []
  let envoy: { stop(): Promise<void> } | undefined
  let xdsListener: { readonly port: number; close(): void } | undefined
  let gateTimer: NodeJS.Timeout | undefined
  let knownTimer: NodeJS.Timeout | undefined
  const ended = new AbortController()
  let stopping: Promise<void> | undefined
  const addresses = { xds: 0, admin: 0, agents: 0 }

  const manifestSources = new ManifestSources({ host: manifests, plugins, environment })

  /** The sources that agents register with are new objects after a change of their settings, and a server cannot swap its routes. */
  const serveAgents = async (): Promise<void> => {
    const routes = sources.agentRoutes
    if (agents !== undefined && routes.length === agentRoutes.length && routes.every((one, index) => one === agentRoutes[index])) return
    await agents?.close()
    agentRoutes = routes
    agents = createAgentsListener(routes, settings.agents.tls, log)
    const { host: address, port } = settings.agents.listen
    addresses.agents = await listen(agents, 'agents.listen', { host: address, port: addresses.agents === 0 ? port : addresses.agents })
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
    isComplete = true
    gateTimer = setTimeout(() => void openGate(), settings.startup.gateSeconds * 1000)
    knownTimer = setTimeout(() => {
      isKnownEnough = true
      openWhenSynced()
    }, settings.startup.knownSeconds * 1000)
    openWhenSynced()
    if (settings.envoy.mode === 'supervise') envoy = await startOwnEnvoy(settings, xds, { clock, random, log })
    log.info({ ...addresses }, 'listening')
  }

  const stop = async (): Promise<void> => {
    clearTimeout(gateTimer)
    xdsListener?.close()
    clearTimeout(knownTimer)
    clearInterval(hourly)
    ended.abort()
    await envoy?.stop()
    await Promise.all([manifests.stop(), host.stop()])
    scheduler.stop()
    operate.stop()
    objects.stop()
    table.close()
    await Promise.all([admin.close(), agents?.close(), xds.close(drainMs)])
    await state.close()
    views.close()
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
      scheduler.structureChanged()
      log.info({ restartFor: fixed }, 'settings were read again')
      return fixed
    },
  }
}
