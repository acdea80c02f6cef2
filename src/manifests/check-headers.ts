import { didYouMean } from '../model/nearest.ts'
import { checkHeaderName, checkPlainText } from './check-values.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'

/**
 * Commands that a header's value may hold between `%` signs, and what stands in their brackets: nothing, a header (and another one behind `?`), or a format.
 * Envoy refuses the whole route configuration for one that it does not know, so this is a list of what it takes in a route's headers.
 */
export const commands: Readonly<Record<string, keyof typeof fits>> = {
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: 'none',
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: 'none',
  DOWNSTREAM_LOCAL_ADDRESS: 'none',
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: 'none',
  DOWNSTREAM_LOCAL_PORT: 'none',
  DOWNSTREAM_LOCAL_SUBJECT: 'none',
  DOWNSTREAM_LOCAL_URI_SAN: 'none',
  DOWNSTREAM_PEER_CERT: 'none',
  DOWNSTREAM_PEER_CERT_V_END: 'optional',
  DOWNSTREAM_PEER_CERT_V_START: 'optional',
  DOWNSTREAM_PEER_FINGERPRINT_1: 'none',
  DOWNSTREAM_PEER_FINGERPRINT_256: 'none',
  DOWNSTREAM_PEER_ISSUER: 'none',
  DOWNSTREAM_PEER_SERIAL: 'none',
  DOWNSTREAM_PEER_SUBJECT: 'none',
  DOWNSTREAM_PEER_URI_SAN: 'none',
  DOWNSTREAM_REMOTE_ADDRESS: 'none',
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: 'none',
  DOWNSTREAM_REMOTE_PORT: 'none',
  DOWNSTREAM_TLS_CIPHER: 'none',
  DOWNSTREAM_TLS_SESSION_ID: 'none',
  DOWNSTREAM_TLS_VERSION: 'none',
  HOSTNAME: 'none',
  PROTOCOL: 'none',
  REQ: 'header',
  REQUESTED_SERVER_NAME: 'none',
  RESP: 'header',
  RESPONSE_CODE: 'none',
  RESPONSE_CODE_DETAILS: 'none',
  RESPONSE_FLAGS: 'none',
  ROUTE_NAME: 'none',
  START_TIME: 'optional',
  UPSTREAM_CLUSTER: 'none',
  UPSTREAM_HOST: 'none',
  UPSTREAM_REMOTE_ADDRESS: 'none',
  VIRTUAL_CLUSTER_NAME: 'none',
}

const fits = {
  none: (inside: string | undefined) => inside === undefined,
  header: (inside: string | undefined) => /^:?[A-Za-z0-9_-]+(\?:?[A-Za-z0-9_-]+)?$/.test(inside ?? ''),
  optional: (inside: string | undefined) => inside === undefined || /^(%[1-9]?[sfYymdHMSjTFz]|[A-Za-z0-9:., _/+-])*$/.test(inside),
}

type Added = Readonly<Record<string, { readonly value?: string }>>

/** Headers that a route adds. Envoy refuses a change of pseudo-headers and of `host`, and values that it cannot read. */
export function checkAddedHeaders(at: FieldPath, given: Added = {}): readonly Finding[] {
  return Object.entries(given).flatMap(([name, { value = '' }]) => [
    ...checkChangedHeader([...at, name], name),
    ...checkPlainText([...at, name, 'value'], value),
    ...checkFormat([...at, name, 'value'], value),
  ])
}

/** Headers that a route removes. */
export function checkRemovedHeaders(at: FieldPath, names: readonly string[] = []): readonly Finding[] {
  return names.flatMap((name, index) => checkChangedHeader([...at, index], name))
}

function checkChangedHeader(path: FieldPath, name: string): readonly Finding[] {
  if (name.startsWith(':') || name.toLowerCase() === 'host')
    return [{ path, text: `"${name}" cannot be changed here: use host_rewrite for the host, rewrite for the path` }]
  return checkHeaderName(path, name)
}

function checkFormat(path: FieldPath, value: string): readonly Finding[] {
  const rest = value.replace(/%%|%([A-Z][A-Z0-9_]*)(?:\(([^()]*)\))?(?::[0-9]+)?%/g, (whole, name?: string, inside?: string) => {
    if (name === undefined) return ''
    const wants = Object.hasOwn(commands, name) ? commands[name] : undefined
    return wants !== undefined && fits[wants](inside) ? '' : whole
  })
  const at = rest.indexOf('%')
  if (at < 0) return []
  const [, name = ''] = /^%([A-Z][A-Z0-9_]*)/.exec(rest.slice(at)) ?? []
  const hint = name === '' ? '' : didYouMean(name, Object.keys(commands))
  const text = `"${rest.slice(at, at + 60)}" is no command of Envoy's; a plain percent sign is written %%`
  return [{ path, text: hint === '' ? text : `${text}; ${hint}` }]
}
