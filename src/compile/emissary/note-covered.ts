import { coveringSteps } from '../../ir/covered-routes.ts'
import type { IrRoute, IrRouteConfig } from '../../ir/route-table.ts'
import type { CheckedObject } from '../../manifests/checked-object.ts'
import { type ObjectRef, refText } from '../../model/object-ref.ts'
import type { Steps } from '../../model/steps.ts'
import type { MappingRoute } from './mapping-route.ts'
import type { Report } from './report.ts'

/** Names the Mappings that no request for some domains can reach, and what takes the requests before them. */
export function* noteCovered(configs: readonly IrRouteConfig[], routes: readonly MappingRoute[], report: Report): Steps<void> {
  let objects: ReadonlyMap<ObjectRef, CheckedObject> | undefined
  for (const { virtualHosts } of configs)
    for (const host of virtualHosts) {
      yield
      const covering = yield* coveringSteps(host.routes)
      if (!covering.some(one => one !== undefined)) continue
      objects ??= new Map(routes.map(({ mapping }) => [mapping.manifest.ref, mapping]))
      for (const [ref, first] of coveredObjects(host.routes, covering)) {
        const object = objects.get(ref)
        if (object === undefined) continue
        const others = first.origins.map(refText).join(', ')
        report.notice(
          object,
          `no request for ${host.domains.join(', ')} reaches it: ${others} takes them all before (order: precedence, then length of prefix)`,
        )
      }
    }
}

/** Of the objects all of whose routes are covered, each with a route that covers one of them. */
function coveredObjects(routes: readonly IrRoute[], covering: readonly (IrRoute | undefined)[]) {
  const covered = new Map<IrRoute['origins'][number], IrRoute>()
  const reached = new Set<IrRoute['origins'][number]>()
  for (const [index, { origins }] of routes.entries())
    for (const origin of origins) {
      const first = covering[index]
      if (first === undefined) reached.add(origin)
      else if (!first.origins.includes(origin)) covered.set(origin, covered.get(origin) ?? first)
    }
  for (const origin of reached) covered.delete(origin)
  return covered
}
