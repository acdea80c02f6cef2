import type { Reason } from '../../src/model/reason.ts'
import type { HealthEntry } from './entry.ts'

export interface Selected {
  readonly address: string
  readonly port: number
  readonly reasons: readonly Reason[]
}

/**
 * Address and port of an instance for a network (reference/discovery.md 2.7), both from the same entry, the first that has one: the
 * service's own for this network, its plain one, the node's for this network, its plain one. Never `virtual`. Pure.
 */
export function selectAddress({ Node: node, Service: service }: HealthEntry, network: 'lan' | 'wan'): Selected {
  const port = service.Port ?? 0
  const keys = [`${network}_ipv4`, `${network}_ipv6`, network]
  for (const key of keys) {
    const tagged = service.TaggedAddresses?.[key]
    // An entry that is empty says nothing.
    if (!isGiven(tagged?.Address)) continue
    return { address: tagged.Address, port: tagged.Port || port, reasons: inherited(node, service, network, tagged.Address) }
  }
  if (isGiven(service.Address)) return { address: service.Address, port, reasons: [] }
  for (const key of keys) {
    const tagged = node.TaggedAddresses?.[key]
    if (isGiven(tagged)) return { address: tagged, port, reasons: [] }
  }
  return { address: node.Address ?? '', port, reasons: [] }
}

function isGiven(address: string | undefined): address is string {
  return address !== undefined && address !== ''
}

/** Consul copies a service's plain address into its tagged ones: for `wan` that may be wrong, which only people can know (consul#8525). */
function inherited(node: HealthEntry['Node'], service: HealthEntry['Service'], network: 'lan' | 'wan', address: string): readonly Reason[] {
  const wan = node.TaggedAddresses?.['wan']
  if (network !== 'wan' || address !== service.Address || !isGiven(wan) || wan === node.Address) return []
  const text = `its wan address ${address} is its plain one, while its node has ${wan}: give the service a wan address of its own if that is wrong`
  return [{ code: 'wan-inherited', text }]
}
