/** What tells the endpoints of one pool apart. */
export interface PoolPlace {
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

/** The canonical order of a pool: address, port, protocol, by code unit. 0 means: the same endpoint. */
export function comparePlaces(a: PoolPlace, b: PoolPlace): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  if (a.port !== b.port) return a.port - b.port
  return a.protocol === b.protocol ? 0 : a.protocol < b.protocol ? -1 : 1
}

/** Whether an endpoint is at an address and port, be it by the address of its other family. */
export function isAt(
  endpoint: { readonly address: string; readonly port: number; readonly additionalAddresses: readonly string[] },
  { address, port }: { readonly address: string; readonly port: number },
): boolean {
  return endpoint.port === port && (endpoint.address === address || endpoint.additionalAddresses.includes(address))
}

/** Where `place` stands in a sorted list, or `-(where it would stand) - 1`. */
export function findPlace(sorted: readonly PoolPlace[], place: PoolPlace): number {
  let low = 0
  let high = sorted.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const order = comparePlaces(sorted[middle] as PoolPlace, place)
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return -low - 1
}
