import type { SourceGiven } from '../../src/discovery/contract.ts'
import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { errorText } from '../../src/model/errors.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import type { EndpointEntry, EntryFault, ServiceEntry } from './schema.ts'

/** A service of the file as a group, and the endpoints of it that are not taken. */
export interface TranslatedService {
  readonly group: EndpointGroup
  readonly refusals: readonly EntryFault[]
}

/**
 * One item of the file as a group. An endpoint whose address is refused, or that repeats another one, costs only itself.
 * @param entry a well-formed item
 * @param given the source's namespace and rule of addresses
 * @param former what the item was before: endpoints that are still the same are taken over, and so is the group when all of them are
 */
export function translateService(
  entry: ServiceEntry,
  given: Pick<SourceGiven, 'namespace' | 'admitAddress'>,
  former?: EndpointGroup,
): TranslatedService {
  const key = serviceKey(entry.namespace ?? given.namespace, entry.name)
  const before = former?.id === key ? former.endpoints : []
  const refusals: EntryFault[] = []
  const admitted: Admitted[] = []
  const seen = new Set<string>()
  for (const [index, endpoint] of entry.endpoints.entries()) {
    try {
      // What was admitted before is canonical, and the rule does not change.
      const isKnown = before[admitted.length]?.address === endpoint.address
      const address = isKnown ? endpoint.address : given.admitAddress(endpoint.address)
      const place = `${address} ${endpoint.port}`
      if (seen.has(place)) refusals.push({ path: ['endpoints', index], text: `repeats ${address} port ${endpoint.port}` })
      else admitted.push({ address, entry: endpoint })
      seen.add(place)
    } catch (error) {
      refusals.push({ path: ['endpoints', index, 'address'], text: errorText(error) })
    }
  }
  const shared = addressesOfOneInstance(admitted)
  const endpoints = admitted.map(({ address, entry: item }, index) => {
    const id = shared.has(address) ? address : `${address}:${item.port}`
    const old = before[index]
    return old !== undefined && isSame(old, address, item, id) ? old : endpointOf(address, item, id)
  })
  const isUnchanged = former?.id === key && endpoints.length === before.length && endpoints.every((one, index) => one === before[index])
  return { group: isUnchanged ? former : Object.freeze({ id: key, service: key, endpoints }), refusals }
}

interface Admitted {
  readonly address: string
  readonly entry: EndpointEntry
}

/**
 * Addresses whose endpoints are ports of one instance: all have a port name and no two the same one. Otherwise two ports of one address
 * are two instances, e.g. two processes on a machine.
 */
function addressesOfOneInstance(admitted: readonly Admitted[]): ReadonlySet<string> {
  const names = new Map<string, Set<string>>()
  const apart = new Set<string>()
  for (const { address, entry } of admitted) {
    const name = entry.portName ?? ''
    const taken = names.get(address)
    if (name === '' || taken?.has(name) === true) apart.add(address)
    else if (taken === undefined) names.set(address, new Set([name]))
    else taken.add(name)
  }
  return new Set([...names.keys()].filter(address => !apart.has(address)))
}

function endpointOf(address: string, entry: EndpointEntry, id: string): Endpoint {
  const { port, portName, weight, health, zone = '', region = '', tags, meta } = entry
  return makeEndpoint({
    address,
    port,
    id,
    ...(portName === undefined ? {} : { portName }),
    ...(weight === undefined ? {} : { weight }),
    ...(health === undefined ? {} : { health }),
    ...(zone === '' && region === '' ? {} : { locality: Object.freeze({ region, zone, subzone: '' }) }),
    ...(tags === undefined ? {} : { tags }),
    ...(meta === undefined ? {} : { meta: Object.freeze(meta) }),
    ...(health === undefined || health === 'healthy' ? {} : { reasons: [{ code: 'file-health', text: `the file says ${health}` }] }),
  })
}

function isSame(old: Endpoint, address: string, entry: EndpointEntry, id: string): boolean {
  return (
    old.address === address &&
    old.port === entry.port &&
    old.id === id &&
    old.portName === (entry.portName ?? '') &&
    old.weight === (entry.weight ?? 100) &&
    old.health === (entry.health ?? 'healthy') &&
    old.locality.zone === (entry.zone ?? '') &&
    old.locality.region === (entry.region ?? '') &&
    sameList(old.tags, entry.tags ?? []) &&
    sameList(Object.entries(old.meta).flat(), Object.entries(entry.meta ?? {}).flat())
  )
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
