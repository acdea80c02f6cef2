import type { IrCluster, IrTcp, IrTermination } from '../../ir/route-table.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import { type ObjectRef, refText } from '../../model/object-ref.ts'
import { clusterOptions, optionNotices, optionsMark } from './cluster-options.ts'
import { covers } from './host-glob.ts'
import type { HostNode } from './hosts.ts'
import { statName } from './names.ts'
import { readUpstream, type UpstreamContext } from './read-upstream.ts'
import { splitWeights } from './weights.ts'
import { withoutUndefined } from './without-undefined.ts'

type TcpMapping = Checked<'TCPMapping'>

/** TCPMappings of one port and server name: a chain of a listener. */
export interface TcpGroup {
  readonly port: number
  /** Undefined: that of the Listener, or every address. */
  readonly address: string | undefined
  /** Lower case; undefined: every connection of the port, TLS or not. */
  readonly host: string | undefined
  readonly tls: IrTermination | undefined
  readonly serve: IrTcp
  readonly origin: ObjectRef
  readonly members: readonly TcpMapping[]
}

const connectTimeoutMs = 3_000

/**
 * Groups TCPMappings by address, port and host, and splits each group's connections exactly as its weights are written
 * (emissary-resources.md 2).
 * @param hosts that can end TLS for a name
 * @param terminate how the TLSContext of exactly a name ends TLS
 * @param clusters takes the clusters that are needed
 */
export function compileTcpMappings(
  mappings: readonly TcpMapping[],
  hosts: readonly HostNode[],
  terminate: (host: string) => IrTermination | undefined,
  context: UpstreamContext,
  clusters: IrCluster[],
): readonly TcpGroup[] {
  const groups = Map.groupBy(mappings, ({ spec }) => JSON.stringify([spec.address, spec.port, spec.host?.toLowerCase()]))
  return [...groups.values()].flatMap(members => {
    const [first] = members
    if (first === undefined) return []
    const { port, address } = first.spec
    const host = first.spec.host?.toLowerCase()
    const tls =
      host === undefined ? undefined : (hosts.find(one => one.tls !== undefined && covers(one.hostname, host))?.tls ?? terminate(host))
    if (host !== undefined && tls === undefined) {
      const text = `no Host with a certificate takes ${host}, and no TLSContext has it among its hosts: TLS cannot be ended for it`
      for (const member of members) context.report.refuse(member, { path: ['spec', 'host'], text })
      return []
    }
    const serve = split(members, context, clusters)
    return serve === undefined ? [] : [{ port, address, host, tls, serve, origin: first.manifest.ref, members }]
  })
}

function split(members: readonly TcpMapping[], context: UpstreamContext, clusters: IrCluster[]): IrTcp | undefined {
  const shares = splitWeights(members.map(({ spec }) => spec.weight))
  if ('sum' in shares) {
    context.report.refuseGroup(
      members.map(object => {
        const text = `the weights of the TCPMappings of this port and host add up to ${shares.sum}; they may give at most 100`
        return { object, finding: { path: ['spec', 'weight'], text } }
      }),
    )
    return undefined
  }
  const parts = members.flatMap((member, index) => {
    const cluster = clusterOf(member, context)
    if (cluster === undefined) return []
    clusters.push(cluster)
    return [{ cluster: cluster.name, weight: shares[index]?.weight ?? 0 }]
  })
  const used = parts.filter(({ weight }) => weight > 0)
  if (used.length === 0) {
    if (parts.length > 0) for (const member of members) context.report.notice(member, 'no connection gets anywhere: all weights are 0')
    return undefined
  }
  const [first] = members
  const idle = first?.spec.idle_timeout_ms
  for (const member of members)
    if (first !== undefined && String(member.spec.idle_timeout_ms) !== String(idle))
      context.report.notice(member, `spec.idle_timeout_ms is that of ${refText(first.manifest.ref)}, with which it shares port and host`)
  return {
    kind: 'tcp',
    statPrefix: statName(first?.spec.stats_name ?? `ingress_tcp_${String(first?.spec.port ?? 0)}`),
    clusters: used,
    ...(idle === undefined ? {} : { idleTimeoutMs: Number(idle) }),
  }
}

function clusterOf(mapping: TcpMapping, context: UpstreamContext): IrCluster | undefined {
  const { spec, manifest } = mapping
  const { service, resolver, tls, circuit_breakers, enable_ipv4, enable_ipv6 } = spec
  const read = readUpstream(mapping, { field: 'service', service, resolver, tls }, context)
  if (read === undefined) return undefined
  const { upstream } = read
  const fields = withoutUndefined({ circuit_breakers, enable_ipv4, enable_ipv6 })
  for (const text of optionNotices(fields, upstream.kind)) context.report.notice(mapping, text)
  const options = clusterOptions(fields, upstream.kind, read.tls)
  const name = [
    ...(spec.cluster_tag === undefined ? [] : [spec.cluster_tag]),
    upstream.name,
    ...(spec.stats_name === undefined ? [] : [`stats:${spec.stats_name}`]),
    ...(options === undefined ? [] : [`options:${optionsMark(options)}`]),
  ].join('|')
  return {
    ...{ ...upstream, name, statName: statName(spec.stats_name ?? service) },
    ...{ loadBalancing: 'round_robin', connectTimeoutMs, origins: [manifest.ref] },
    ...(options === undefined ? {} : { options }),
  }
}
