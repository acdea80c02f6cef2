import type { Checked } from '../../manifests/checked-object.ts'
import type { IrOrigination } from '../../ir/cluster-options.ts'
import type { IrHeaderCase } from '../../ir/http-options.ts'
import type { IrHash } from '../../ir/route-action.ts'
import type { IrCluster } from '../../ir/route-table.ts'
import { durationMs } from '../../manifests/check-values.ts'
import type { LoadBalancerSpec } from '../../manifests/schema/mapping-upstream.ts'
import type { Memo } from '../../model/memo.ts'
import { clusterOptions, optionsMark } from './cluster-options.ts'
import { statName } from './names.ts'
import type { Upstream } from './upstream.ts'

const defaultConnectTimeoutMs = 3_000

/**
 * The cluster of a Mapping. Its name is the upstream's plus whatever differs from the defaults, so that Mappings with equal upstreams share
 * one and an edit of one option makes a new cluster beside the old one (make before break).
 * @param tls how TLS to the upstream is begun; undefined: cleartext
 * @param headerCase how names of headers are written to it; undefined: in lower case
 */
export function mappingCluster(mapping: Checked<'Mapping'>, upstream: Upstream, tls?: IrOrigination, headerCase?: IrHeaderCase): IrCluster {
  const { spec, manifest } = mapping
  const loadBalancing = spec.load_balancer?.policy ?? 'round_robin'
  const connectTimeoutMs = spec.connect_timeout_ms ?? defaultConnectTimeoutMs
  const { name: upstreamName, ...rest } = upstream
  const options = clusterOptions(spec, upstream.kind, tls, spec.grpc === true ? undefined : headerCase)
  const name = [
    ...(spec.cluster_tag === undefined ? [] : [spec.cluster_tag]),
    upstreamName,
    ...(loadBalancing === 'round_robin' ? [] : [loadBalancing]),
    ...(connectTimeoutMs === defaultConnectTimeoutMs ? [] : [`connect:${connectTimeoutMs}ms`]),
    ...(spec.grpc === true ? ['h2'] : []),
    ...(spec.stats_name === undefined ? [] : [`stats:${spec.stats_name}`]),
    ...(options === undefined ? [] : [`options:${optionsMark(options)}`]),
  ].join('|')
  return {
    ...rest,
    ...{ name, statName: statName(spec.stats_name ?? spec.service), loadBalancing, connectTimeoutMs, origins: [manifest.ref] },
    ...(spec.grpc === true ? { http2: true } : {}),
    ...(options === undefined ? {} : { options }),
  }
}

/**
 * One cluster per name, sorted, with the origins of all Mappings that share it, in the order given; the same object while it is made of the same
 * ones.
 */
export function mergeClusters(clusters: Iterable<IrCluster>, memo: Memo<string, IrCluster>): readonly IrCluster[] {
  const byName = Map.groupBy(clusters, cluster => cluster.name)
  return [...byName.values()]
    .flatMap(same => {
      const [first] = same
      return first === undefined ? [] : (memo.find(first.name, same) ?? memo.keep(first.name, same, merged(first, same)))
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Equal upstreams may be written differently (payments, payments.shop): one of the names, whatever the order. */
function merged(first: IrCluster, same: readonly IrCluster[]): IrCluster {
  const statName = same.reduce((least, one) => (one.statName < least ? one.statName : least), first.statName)
  return { ...first, statName, origins: same.flatMap(one => one.origins) }
}

/** What the policy hashes; undefined for policies that do not. */
export function hashOf(balancer: LoadBalancerSpec | undefined): IrHash | undefined {
  if (balancer?.cookie !== undefined) {
    const { name, path, ttl } = balancer.cookie
    return { kind: 'cookie', name, path: path ?? '', ...(ttl === undefined ? {} : { ttlSeconds: durationMs(ttl) / 1000 }) }
  }
  if (balancer?.header !== undefined) return { kind: 'header', name: balancer.header.toLowerCase() }
  return balancer?.source_ip === true ? { kind: 'source-ip' } : undefined
}
