import { isIPv6 } from 'node:net'
import type { ListenAddress } from './settings.ts'

/**
 * Reads `host:port`, `:port` (every address) or `[::1]:port`; undefined if it is none of them. Port 0 is any free port.
 */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:\s[\]/]*)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, plain, digits] = match
  const port = Number(digits)
  if (port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return undefined
  return { host: bracketed ?? (plain === undefined || plain === '' ? '0.0.0.0' : plain), port }
}

/** `host:port`, with brackets around IPv6. */
export function listenText({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
