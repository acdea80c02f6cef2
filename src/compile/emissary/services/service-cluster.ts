import type { IrService } from '../../../ir/http-services.ts'
import type { IrCluster } from '../../../ir/route-table.ts'
import type { CheckedObject } from '../../../manifests/checked-object.ts'
import { statName } from '../names.ts'
import { readUpstream, type UpstreamContext } from '../read-upstream.ts'
import { parseServiceName } from '../service-name.ts'

/** What compiling a service object needs, and where its cluster goes. */
export interface ServiceContext extends UpstreamContext {
  readonly clusters: IrCluster[]
}

const connectTimeoutMs = 3_000

/**
 * The cluster of a service that listeners call: the pool over all sources, so that it follows every change as a Mapping's does
 * (emissary-resources.md 7). Undefined when `spec[field]` means nothing, which is reported.
 * @param http2 the service speaks gRPC
 */
export function serviceCluster(
  object: CheckedObject,
  service: { readonly field: string; readonly text: string; readonly statsName: string | undefined; readonly http2: boolean },
  context: ServiceContext,
): IrService | undefined {
  const { manifest } = object
  const upstream = readUpstream(object, { field: service.field, service: service.text }, context)
  if (upstream === undefined) return undefined
  const { name: upstreamName, ...rest } = upstream
  const options = [...(service.http2 ? ['h2'] : []), ...(service.statsName === undefined ? [] : [`stats:${service.statsName}`])]
  const cluster: IrCluster = {
    ...rest,
    name: [upstreamName, ...options].join('|'),
    statName: statName(service.statsName ?? service.text),
    loadBalancing: 'round_robin',
    connectTimeoutMs,
    ...(service.http2 ? { http2: true } : {}),
    origins: [manifest.ref],
  }
  context.clusters.push(cluster)
  return { cluster: cluster.name, authority: authorityOf(service.text) }
}

/** The host of `[scheme://]name[:port]`, which was read without complaint before. */
function authorityOf(text: string): string {
  const parsed = parseServiceName(text)
  return typeof parsed === 'string' ? text : parsed.name
}
