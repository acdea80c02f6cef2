import type { IrClusterOptions } from '../../ir/cluster-options.ts'
import type { IrPool } from '../../ir/pool.ts'
import type { IrCluster, LoadBalancing } from '../../ir/route-table.ts'
import { perObject } from '../../model/memo.ts'
import { duration, encodeMessage, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../resource.ts'
import { socketMatch } from './mesh-sockets.ts'
import { secretKey } from './secret.ts'
import { healthCheck, optionFields, optionSecrets, protocolOptions } from './cluster-options.ts'

const policies: Readonly<Record<LoadBalancing, string>> = {
  round_robin: 'ROUND_ROBIN',
  least_request: 'LEAST_REQUEST',
  ring_hash: 'RING_HASH',
  maglev: 'MAGLEV',
}

const slowStartFields: Readonly<Partial<Record<LoadBalancing, (config: PlainMessage) => PlainMessage>>> = {
  round_robin: config => ({ roundRobinLbConfig: config }),
  least_request: config => ({ leastRequestLbConfig: config }),
}

/**
 * How long a cluster waits for its endpoints before it is used without. Every assignment exists (xds.md O5), so this only bounds what a
 * lost control plane can hold up; Envoy's default is 15 s, and it takes as long to fall back to its own copy (xds.md O4).
 */
const firstEndpointsMs = 5000

/** The Cluster of one upstream; with EDS it requires its assignment. That of the same object is the same. */
export const generateCluster = perObject((cluster: IrCluster): Resource => {
  const { options } = cluster
  const mesh = cluster.kind === 'eds' ? (cluster.mesh ?? []) : []
  const requires: ResourceKey[] = [
    ...(cluster.kind === 'eds' ? [{ type: 'endpoint', name: cluster.assignment.name } as const] : []),
    ...(options === undefined ? [] : optionSecrets(options)),
    ...mesh.flatMap(({ certificate, validation }) => [secretKey(certificate), secretKey(validation)]),
  ]
  const pool = cluster.kind === 'eds' ? cluster.pool : undefined
  const message = {
    name: cluster.name,
    altStatName: cluster.statName,
    connectTimeout: duration(cluster.connectTimeoutMs),
    lbPolicy: policies[cluster.loadBalancing],
    commonLbConfig: {
      // Envoy's 50 % would send traffic to the unhealthy endpoints we publish (discovery.md 1.5).
      healthyPanicThreshold: { value: pool?.panicThreshold ?? 0 },
      ...(pool?.localityWeighted === true ? { localityWeightedLbConfig: {} } : {}),
      // Envoy's default holds back changes of health and weight for up to 1 s.
      updateMergeWindow: duration(0),
      closeConnectionsOnHostSetChange: false,
    },
    // A registry's removal counts even where active checks still pass (discovery.md 1.5).
    ignoreHealthOnHostRemoval: true,
    ...(pool === undefined ? {} : poolOptions(pool, cluster.loadBalancing)),
    // What an object says of its own upstream counts more than what the pool says for everybody.
    ...(options === undefined ? protocolOptions(cluster.http2 === true) : optionFields(options, cluster.http2 === true)),
    ...(mesh.length === 0 ? {} : { transportSocketMatches: mesh.map(socketMatch) }),
    ...discovery(cluster),
  }
  return makeResource('cluster', cluster.name, encodeMessage('envoy.config.cluster.v3.Cluster', message), requires)
})

/** What a ServicePool asks of the clusters that use it. */
function poolOptions({ slowStartSeconds, healthChecks, outlierDetection: outliers }: IrPool, loadBalancing: LoadBalancing): PlainMessage {
  const slowStart = { slowStartConfig: { slowStartWindow: duration(slowStartSeconds * 1000) } }
  // The hashing policies have no slow start.
  const starts = slowStartSeconds === 0 ? {} : (slowStartFields[loadBalancing]?.(slowStart) ?? {})
  const checked = healthChecks.length === 0 ? starts : { ...starts, healthChecks: healthChecks.map(healthCheck) }
  if (outliers === undefined) return checked
  const { consecutive5xx, baseEjectionSeconds, maxEjectionPercent } = outliers
  return {
    ...checked,
    outlierDetection: {
      consecutive_5xx: { value: consecutive5xx },
      baseEjectionTime: duration(baseEjectionSeconds * 1000),
      maxEjectionPercent: { value: maxEjectionPercent },
      // In Envoy's default a success rate below that of the others ejects, too: only what was asked for.
      enforcingSuccessRate: { value: 0 },
    },
  }
}

function discovery(cluster: IrCluster): PlainMessage {
  switch (cluster.kind) {
    case 'eds': {
      const source = { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: duration(firstEndpointsMs) }
      return { type: 'EDS', edsClusterConfig: { serviceName: cluster.assignment.name, edsConfig: source } }
    }
    case 'strict_dns':
      return { ...dnsFields(cluster.options?.dns), loadAssignment: one(cluster.name, cluster.host, cluster.port) }
    case 'static':
      return { type: 'STATIC', loadAssignment: one(cluster.name, cluster.address, cluster.port) }
  }
}

const families = { v4: 'V4_ONLY', v6: 'V6_ONLY', both: 'AUTO', 'v4-preferred': 'V4_PREFERRED' } as const

/** As Emissary (IPv4 only), except that a name which has no IPv4 address at all still works where nothing is said. */
function dnsFields(dns: IrClusterOptions['dns']): PlainMessage {
  return {
    type: dns?.logical === true ? 'LOGICAL_DNS' : 'STRICT_DNS',
    dnsLookupFamily: families[dns?.family ?? 'v4-preferred'],
    ...(dns?.respectTtl === true ? { respectDnsTtl: true } : {}),
  }
}

function one(name: string, address: string, port: number): PlainMessage {
  const endpoint = { address: { socketAddress: { address, portValue: port } } }
  return { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] }
}
