import type { CheckedObject } from '../../manifests/checked-object.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import { type CompiledPool, withPool } from '../pools/pools.ts'
import { splitSubset } from '../pools/subsets.ts'
import type { Lookups } from './lookups.ts'
import type { IrOrigination } from '../../ir/cluster-options.ts'
import type { Report } from './report.ts'
import type { Resolvers } from './resolvers.ts'
import type { Originations } from './tls/origination.ts'
import { resolveUpstream, type Upstream } from './upstream.ts'

/** What reading an upstream needs to know, and where its problems go. */
export interface UpstreamContext {
  readonly resolvers: Resolvers
  readonly lookups: Lookups
  readonly pools: ReadonlyMap<ServiceKey, CompiledPool>
  readonly report: Report
  readonly originations: Originations
  /** Where names without a namespace are looked for, if not beside the object that names them. */
  readonly namespace?: string | undefined
}

/** What an object says of where it sends, the same for every kind. */
export interface UpstreamFields {
  /** That of `service`. */
  readonly field: string
  readonly service: string
  readonly resolver?: string | undefined
  readonly tls: string | boolean | undefined
  readonly hostRewrite?: string | undefined
}

/** Where requests go, and by which TLS; undefined: in cleartext. */
export interface ReadUpstream {
  readonly upstream: Upstream
  readonly tls: IrOrigination | undefined
}

/**
 * Reads the service that an object names, the same for every kind (emissary-resources.md 9, 10). Undefined when it means nothing, which is
 * reported at `spec[field]`, `spec.resolver` or `spec.tls`.
 */
export function readUpstream(
  object: CheckedObject,
  { field, service, resolver, tls, hostRewrite }: UpstreamFields,
  { resolvers, lookups, pools, report, originations, namespace: fixed }: UpstreamContext,
): ReadUpstream | undefined {
  const { namespace } = object.manifest
  const found = resolvers.find(resolver, namespace)
  if (typeof found === 'string') {
    report.refuse(object, { path: ['spec', 'resolver'], text: found })
    return undefined
  }
  const written = splitSubset(service)
  const origination = originations.of(object, { service: written.service, tls, hostRewrite })
  if (origination !== undefined && 'problem' in origination) {
    report.refuse(object, origination.problem)
    return undefined
  }
  const resolved = resolveUpstream(written.service, fixed ?? namespace, found, lookups, origination !== undefined)
  const upstream = typeof resolved === 'string' ? resolved : withPool(resolved, written.subset, pools)
  if (typeof upstream === 'string') {
    report.refuse(object, { path: ['spec', field], text: upstream })
    return undefined
  }
  if (origination === undefined || origination.sni !== undefined || upstream.kind !== 'strict_dns') return { upstream, tls: origination }
  // A server of several names shows the right certificate only to who asks for it.
  return { upstream, tls: { ...origination, sni: upstream.host } }
}
