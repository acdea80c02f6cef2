import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { sameEndpoint } from '../model/same-endpoint.ts'
import { placeKey } from './losses.ts'

/**
 * The group with the very objects that it had before, where they say the same. A registry's answer repeats all that did not change: it
 * would be compared anew at every step from here on, and live as long as the old one lived, which is what makes garbage expensive.
 * Linear; `before` itself when nothing differs.
 */
export function keepSame(before: EndpointGroup | undefined, group: EndpointGroup): EndpointGroup {
  if (before === undefined || before === group || before.service !== group.service) return group
  let byPlace: Map<string, Endpoint> | undefined
  let kept = 0
  const endpoints = group.endpoints.map((endpoint, index) => {
    const there = before.endpoints[index]
    if (there === endpoint || (there !== undefined && sameEndpoint(there, endpoint))) {
      kept++
      return there
    }
    byPlace ??= new Map(before.endpoints.map(one => [placeKey(one), one]))
    const moved = byPlace.get(placeKey(endpoint))
    return moved !== undefined && sameEndpoint(moved, endpoint) ? moved : endpoint
  })
  return kept === before.endpoints.length && kept === endpoints.length ? before : { ...group, endpoints }
}
