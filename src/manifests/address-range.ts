import ipaddr from 'ipaddr.js'

/** An IP network. */
export interface AddressRange {
  readonly address: string
  readonly bits: number
}

/** Reads `10.0.0.0/8`, or one address; undefined if it is neither. */
export function readAddressRange(text: string): AddressRange | undefined {
  const [address = '', length, more] = text.split('/')
  if (more !== undefined || !ipaddr.isValid(address)) return undefined
  const kind = ipaddr.parse(address).kind()
  if (kind === 'ipv4' && !ipaddr.IPv4.isValidFourPartDecimal(address)) return undefined
  const most = kind === 'ipv4' ? 32 : 128
  if (length === undefined) return { address, bits: most }
  return /^[0-9]{1,3}$/.test(length) && Number(length) <= most ? { address, bits: Number(length) } : undefined
}
