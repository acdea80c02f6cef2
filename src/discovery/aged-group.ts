import type { EndpointGroup } from '../model/endpoint-group.ts'
import { held } from '../model/held.ts'

/** What a group of a source is worth once nothing was read of the source for longer than it may be (reference/discovery.md 5.6). */
export function agedGroup(group: EndpointGroup, policy: 'degrade' | 'drop', source: string): EndpointGroup {
  const text = `${source} was not read for longer than guards.maxStaleSeconds`
  return { ...group, endpoints: policy === 'drop' ? [] : group.endpoints.map(endpoint => held(endpoint, 'age', text)) }
}
