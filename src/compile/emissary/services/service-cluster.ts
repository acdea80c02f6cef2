import type { IrService } from '../../../ir/http-services.ts'
import type { IrCluster } from '../../../ir/route-table.ts'
import type { CheckedObject } from '../../../manifests/checked-object.ts'
import { type ClusterFields, clusterOptions, optionsMark } from '../cluster-options.ts'
import { statName } from '../names.ts'
import { readUpstream, type UpstreamContext } from '../read-upstream.ts'
import { parseServiceName } from '../service-name.ts'
import { withoutUndefined } from '../without-undefined.ts'

/** What compiling a service object needs, and where its cluster goes. */
export interface ServiceContext extends UpstreamContext {
  readonly clusters: IrCluster[]
}

const connectTimeoutMs = 3_000

interface CalledService {
  readonly field: string
  readonly text: string
  readonly tls: string | boolean | undefined
  readonly statsName: string | undefined
  readonly http2: boolean
  readonly breakers?: ClusterFields['circuit_breakers'] | undefined
}

/**
 * The cluster of a service that listeners call: the pool over all sources, so that it follows every change as a Mapping's does
 * (emissary-resources.md 7). Undefined when `spec[field]` means nothing, which is reported.
 * @param http2 the service speaks gRPC
 */
export function serviceCluster(object: CheckedObject, service: CalledService, context: ServiceContext): IrService | undefined {
  const { manifest } = object
  const read = readUpstream(object, { field: service.field, service: service.text, tls: service.tls }, context)
  if (read === undefined) return undefined
  const { name: upstreamName, ...rest } = read.upstream
  const options = clusterOptions(withoutUndefined({ circuit_breakers: service.breakers }), rest.kind, read.tls)
  const marks = [
    ...(service.http2 ? ['h2'] : []),
    ...(service.statsName === undefined ? [] : [`stats:${service.statsName}`]),
    ...(options === undefined ? [] : [`options:${optionsMark(options)}`]),
  ]
  const cluster: IrCluster = {
    ...rest,
    name: [upstreamName, ...marks].join('|'),
    statName: statName(service.statsName ?? service.text),
    loadBalancing: 'round_robin',
    connectTimeoutMs,
    ...(service.http2 ? { http2: true } : {}),
    ...(options === undefined ? {} : { options }),
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
