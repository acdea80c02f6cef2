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
  const old = before.endpoints
  const endpoints = group.endpoints.slice()
  /** Where the two lists differ, place by place. */
  const others: number[] = []
  for (let index = 0; index < endpoints.length; index++) {
    const there = old[index]
    if (there !== undefined && sameEndpoint(there, endpoints[index] as Endpoint)) endpoints[index] = there
    else others.push(index)
  }
  if (others.length === 0 && endpoints.length === old.length) return before
  // What did not stay where it was may have moved.
  const find = others.length > few ? indexOf(old) : (place: Endpoint) => old.find(one => isAt(one, place))
  for (const index of others) {
    const endpoint = endpoints[index] as Endpoint
    const known = find(endpoint)
    if (known !== undefined && sameEndpoint(known, endpoint)) endpoints[index] = known
  }
  return { ...group, endpoints }
}

/** So few are looked for one by one: an index is a string for each endpoint of the group. */
const few = 4

function indexOf(endpoints: readonly Endpoint[]): (place: Endpoint) => Endpoint | undefined {
  const byPlace = new Map(endpoints.map(one => [placeKey(one), one]))
  return place => byPlace.get(placeKey(place))
}

function isAt(one: Endpoint, { address, port, protocol }: Endpoint): boolean {
  return one.address === address && one.port === port && one.protocol === protocol
}
