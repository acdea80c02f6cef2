import { isIP } from 'node:net'

/** The parts of `[scheme://]name[.namespace][:port]`. Which part of the name is a namespace depends on the resolver. */
export interface ServiceName {
  readonly scheme: 'http' | 'https'
  /** As written, without scheme, port and brackets; an IP address or a name with or without dots. */
  readonly name: string
  readonly isAddress: boolean
  /** A number, or the name of a port. */
  readonly port: number | string | undefined
}

/**
 * The one parser of `service:` (emissary-resources.md 9 and 10: every kind and resolver reads it alike, case is kept, ports by number or name).
 * @returns the parts, or a sentence on what is wrong
 */
export function parseServiceName(text: string): ServiceName | string {
  const form = 'give [scheme://]name[.namespace][:port]'
  const [, rawScheme, rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(text) ?? []
  const scheme = rawScheme === undefined ? 'http' : rawScheme.toLowerCase()
  if (scheme !== 'http' && scheme !== 'https') return `"${text}": unknown scheme ${scheme}; http and https are known`
  if (/[/?#@]/.test(rest)) return `"${text}" has more than a name and a port; ${form} (a path belongs in spec.rewrite)`
  if (isIP(rest) === 6) return { scheme, name: rest.toLowerCase(), isAddress: true, port: undefined }
  const parts = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(rest)
  if (parts === null) return `"${text}" is no service name; ${form} (an IPv6 address with a port needs brackets)`
  const [, bracketed, plain, portText] = parts
  const port = portText === undefined ? undefined : readPort(portText)
  if (port === null) return `"${text}": "${portText ?? ''}" is no port; give a number from 1 to 65535 or the name of a port`
  if (bracketed !== undefined)
    return isIP(bracketed) === 6
      ? { scheme, name: bracketed.toLowerCase(), isAddress: true, port }
      : `"${text}": "${bracketed}" in brackets is no IPv6 address`
  const name = plain ?? ''
  if (isIP(name) === 4) return { scheme, name, isAddress: true, port }
  if (/^[0-9.]+$/.test(name) && name.includes('.')) return `"${text}": "${name}" is neither an IPv4 address nor a name`
  if (!/^[A-Za-z0-9_]([A-Za-z0-9_-]*)(\.[A-Za-z0-9_][A-Za-z0-9_-]*)*$/.test(name)) return `"${text}": "${name}" is no service name; ${form}`
  return { scheme, name, isAddress: false, port }
}

/** Null: neither a port number nor a port name. */
function readPort(text: string): number | string | null {
  if (/^[0-9]+$/.test(text)) return Number(text) >= 1 && Number(text) <= 65_535 ? Number(text) : null
  return /^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$/.test(text) ? text : null
}
