import { Gauge, type Registry } from 'prom-client'
import type { Lease } from '../discovery/contract.ts'
import type { SourcesReader, SourceState } from '../discovery/status.ts'
import type { ObjectStatus } from '../manifests/status.ts'
import type { Health } from '../model/health.ts'
import type { TableReader } from '../table/reader.ts'
import type { ProxiesReader } from '../xds/status.ts'
import type { ResourceType } from '../xds/type-urls.ts'

/** State that is counted when somebody asks, instead of kept. */
export interface MetricReaders {
  readonly table: TableReader
  readonly sources: SourcesReader
  readonly proxies: ProxiesReader
  readonly objects: { statuses(): readonly ObjectStatus[] }
  leases(): readonly Lease[]
  /** How many resources of each type the cache holds. */
  resources(): Iterable<readonly [ResourceType, number]>
  /** Removed resources that clients still need, and how many were dropped because the wait for that was over. */
  retirement(): { readonly waiting: number; readonly forced: number }
}

const sourceStates: readonly SourceState[] = ['syncing', 'live', 'lagging', 'stale', 'expired', 'disabled']

/** Adds the gauges that read the gateway's state at each scrape. Labels name sources, kinds and states, never endpoints or services. */
export function observeReaders(registry: Registry, readers: MetricReaders): void {
  const gauge = (name: string, help: string, labelNames: readonly string[], fill: (gauge: Gauge) => void) =>
    new Gauge({
      name: `isthmus_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset()
        fill(this)
      },
    })

  gauge('source_age_seconds', 'Time since the last successful read of a source.', ['source'], age => {
    for (const source of readers.sources.statuses())
      if (source.ageSeconds !== undefined) age.set({ source: source.name }, source.ageSeconds)
  })
  gauge('source_state', '1 for the state a source is in, 0 for the others.', ['source', 'state'], states => {
    for (const source of readers.sources.statuses())
      for (const state of sourceStates) states.set({ source: source.name, state }, source.state === state ? 1 : 0)
  })
  const watched = (
    name: string,
    help: string,
    count: 'objects' | 'events' | 'lists' | 'watches' | 'failures' | 'expired' | 'stalls' | 'drift',
  ): void =>
    void gauge(`source_watch_${name}`, help, ['source', 'resource'], counts => {
      for (const source of readers.sources.statuses())
        for (const watch of source.watches ?? []) counts.set({ source: source.name, resource: watch.resource }, watch[count])
    })
  watched('objects', 'Objects of a kind that a source watches.', 'objects')
  watched('events', 'Events of watches since the source was started.', 'events')
  watched('lists', 'Complete reads since the source was started.', 'lists')
  watched('starts', 'Watches begun since the source was started.', 'watches')
  watched('failures', 'Failed reads and watches since the source was started.', 'failures')
  watched('expired', 'Versions to watch from that the server had forgotten (410), since the source was started.', 'expired')
  watched('stalls', 'Watches given up for their silence since the source was started.', 'stalls')
  watched('drift', 'Objects that a list found to be other than the watch had said, since the source was started.', 'drift')
  gauge('endpoints', 'Endpoints of the table by the source that decides about them.', ['source', 'health'], endpoints => {
    for (const [source, byHealth] of countEndpoints(readers.table))
      for (const [health, count] of byHealth) endpoints.set({ source, health }, count)
  })
  gauge('services', 'Services that some source has named.', [], services => services.set(readers.table.size.services))
  gauge('pools_held', 'Endpoints that a guard holds.', [], held =>
    held.set(readers.sources.statuses().reduce((sum, source) => sum + source.held, 0)),
  )
  gauge('xds_streams', 'Open xDS streams.', [], streams =>
    streams.set(readers.proxies.proxies().reduce((sum, proxy) => sum + proxy.streams, 0)),
  )
  gauge('xds_resources', 'Resources in the cache.', ['type'], resources => {
    for (const [type, count] of readers.resources()) resources.set({ type }, count)
  })
  gauge('xds_retired', 'Removed resources that are kept until no client needs them.', [], retired =>
    retired.set(readers.retirement().waiting),
  )
  gauge('xds_retired_forced', 'Removed resources that were dropped by the time bound although a client may have needed them.', [], forced =>
    forced.set(readers.retirement().forced),
  )
  gauge('objects', 'Objects of the configuration.', ['kind', 'state'], objects => {
    for (const { ref, state } of readers.objects.statuses()) objects.inc({ kind: ref.kind, state })
  })
  gauge('leases', 'Leases of VM agents.', ['state'], leases => {
    for (const { state } of readers.leases()) leases.inc({ state })
  })
}

function countEndpoints(table: TableReader): ReadonlyMap<string, ReadonlyMap<Health, number>> {
  const counts = new Map<string, Map<Health, number>>()
  for (const pool of table.pools()) {
    for (const { winner, health } of pool.endpoints) {
      let ofSource = counts.get(winner.source)
      if (ofSource === undefined) counts.set(winner.source, (ofSource = new Map<Health, number>()))
      ofSource.set(health, (ofSource.get(health) ?? 0) + 1)
    }
  }
  return counts
}
