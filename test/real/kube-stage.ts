import type { Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage, type StageOptions, startStage } from './stage.ts'

/** A stage whose endpoints come from an API server, and what tests ask of it. */
export interface KubeStage extends Stage {
  /** A counter of a source's watch of EndpointSlices, as the metrics tell it. */
  watch(counter: 'lists' | 'failures' | 'expired' | 'stalls' | 'drift', source?: string): Promise<number>
  source(name?: string): Promise<SourceBody>
  /** Addresses of the endpoints that Envoy has in a cluster → their health by EDS. */
  hosts(cluster: string): Promise<ReadonlyMap<string, string>>
  /** Waits until Envoy has exactly these endpoints there, those with requests. */
  untilHosts(cluster: string, addresses: readonly string[]): Promise<void>
}

interface SourceBody {
  readonly state: string
  readonly ageSeconds: number
  readonly endpoints: number
  readonly notices: readonly string[]
  readonly error: { readonly code: string; readonly text: string } | null
}

/** Starts one with a route `/NAME/` for each of the services. */
export async function startKubeStage(
  t: Teardown,
  sources: Required<StageOptions>['sources'],
  services: readonly string[],
  settings: StageOptions['settings'] = {},
): Promise<KubeStage> {
  const stage = await startStage(t, { sources, settings })
  const mappings = services.map(name => mappingObject(name, { prefix: `/${name}/`, service: name }))
  await stage.manifests('services', mappings)
  const hosts = async (cluster: string): Promise<ReadonlyMap<string, string>> => {
    const { cluster_statuses: clusters = [] } = await stage.envoy.clusters()
    const found = clusters.find(({ name }) => name === cluster)?.host_statuses ?? []
    return new Map(found.map(host => [host.address.socket_address?.address ?? '', String(host.health_status['eds_health_status'])]))
  }
  return Object.assign(stage, {
    async watch(counter: string, source = 'cluster') {
      const text = await (await fetch(`${stage.adminUrl}/metrics`)).text()
      const line = new RegExp(`^isthmus_source_watch_${counter}\\{source="${source}",resource="endpointslices"\\} (\\d+)`, 'm').exec(text)
      if (line === null) throw new Error(`no metric source_watch_${counter} of ${source}`)
      return Number(line[1])
    },
    source: (name = 'cluster') => stage.api<SourceBody>(`/api/v1/sources/${name}`),
    hosts,
    untilHosts: async (cluster: string, addresses: readonly string[]) => {
      const wanted = [...addresses].sort().join()
      await eventually(`${cluster} is as it should be`, async () => {
        const served = [...(await hosts(cluster))].filter(([, health]) => health === 'HEALTHY').map(([address]) => address)
        return served.sort().join() === wanted
      })
    },
  })
}
