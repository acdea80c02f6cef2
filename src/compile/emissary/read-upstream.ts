import type { CheckedObject } from '../../manifests/checked-object.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import { type CompiledPool, withPool } from '../pools/pools.ts'
import { splitSubset } from '../pools/subsets.ts'
import type { Lookups } from './lookups.ts'
import type { Report } from './report.ts'
import type { Resolvers } from './resolvers.ts'
import { resolveUpstream, type Upstream } from './upstream.ts'

/** What reading an upstream needs to know, and where its problems go. */
export interface UpstreamContext {
  readonly resolvers: Resolvers
  readonly lookups: Lookups
  readonly pools: ReadonlyMap<ServiceKey, CompiledPool>
  readonly report: Report
  /** Where names without a namespace are looked for, if not beside the object that names them. */
  readonly namespace?: string | undefined
}

/**
 * Reads the service that an object names, the same for every kind (emissary-resources.md 9, 10). Undefined when it means nothing, which is
 * reported at `spec[field]` or `spec.resolver`.
 */
export function readUpstream(
  object: CheckedObject,
  { field, service, resolver }: { readonly field: string; readonly service: string; readonly resolver?: string | undefined },
  { resolvers, lookups, pools, report, namespace: fixed }: UpstreamContext,
): Upstream | undefined {
  const { namespace } = object.manifest
  const found = resolvers.find(resolver, namespace)
  if (typeof found === 'string') {
    report.refuse(object, { path: ['spec', 'resolver'], text: found })
    return undefined
  }
  const written = splitSubset(service)
  const resolved = resolveUpstream(written.service, fixed ?? namespace, found, lookups)
  const upstream = typeof resolved === 'string' ? resolved : withPool(resolved, written.subset, pools)
  if (typeof upstream === 'string') {
    report.refuse(object, { path: ['spec', field], text: upstream })
    return undefined
  }
  return upstream
}
