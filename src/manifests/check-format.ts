import { didYouMean } from '../model/nearest.ts'
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

/** Those that only logs and answers of Envoy's own may hold, beside the ones above. */
export const logCommands: Readonly<Record<string, keyof typeof fits>> = {
  ...commands,
  ACCESS_LOG_TYPE: 'none',
  BYTES_RECEIVED: 'none',
  BYTES_SENT: 'none',
  CLUSTER_METADATA: 'key',
  COMMON_DURATION: 'key',
  CONNECTION_ID: 'none',
  CONNECTION_TERMINATION_DETAILS: 'none',
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: 'none',
  DOWNSTREAM_HEADER_BYTES_RECEIVED: 'none',
  DOWNSTREAM_HEADER_BYTES_SENT: 'none',
  DOWNSTREAM_WIRE_BYTES_RECEIVED: 'none',
  DOWNSTREAM_WIRE_BYTES_SENT: 'none',
  DURATION: 'none',
  DYNAMIC_METADATA: 'key',
  EMIT_TIME: 'optional',
  ENVIRONMENT: 'key',
  FILTER_CHAIN_NAME: 'none',
  FILTER_STATE: 'key',
  GRPC_STATUS: 'optional',
  GRPC_STATUS_NUMBER: 'none',
  LOCAL_REPLY_BODY: 'none',
  QUERY_PARAM: 'key',
  REQUEST_DURATION: 'none',
  REQUEST_HEADERS_BYTES: 'none',
  REQUEST_TX_DURATION: 'none',
  RESPONSE_DURATION: 'none',
  RESPONSE_FLAGS_LONG: 'none',
  RESPONSE_HEADERS_BYTES: 'none',
  RESPONSE_TRAILERS_BYTES: 'none',
  RESPONSE_TX_DURATION: 'none',
  ROUNDTRIP_DURATION: 'none',
  STREAM_ID: 'none',
  TRACE_ID: 'none',
  TRAILER: 'header',
  UNIQUE_ID: 'none',
  UPSTREAM_CLUSTER_RAW: 'none',
  UPSTREAM_CONNECTION_ID: 'none',
  UPSTREAM_DETECTED_CLOSE_TYPE: 'none',
  UPSTREAM_HEADER_BYTES_RECEIVED: 'none',
  UPSTREAM_HEADER_BYTES_SENT: 'none',
  UPSTREAM_HOST_NAME: 'none',
  UPSTREAM_LOCAL_ADDRESS: 'none',
  UPSTREAM_LOCAL_PORT: 'none',
  UPSTREAM_METADATA: 'key',
  UPSTREAM_PEER_SUBJECT: 'none',
  UPSTREAM_PROTOCOL: 'none',
  UPSTREAM_REMOTE_PORT: 'none',
  UPSTREAM_REQUEST_ATTEMPT_COUNT: 'none',
  UPSTREAM_TLS_CIPHER: 'none',
  UPSTREAM_TLS_VERSION: 'none',
  UPSTREAM_TRANSPORT_FAILURE_REASON: 'none',
  UPSTREAM_WIRE_BYTES_RECEIVED: 'none',
  UPSTREAM_WIRE_BYTES_SENT: 'none',
}

const fits = {
  none: (inside: string | undefined) => inside === undefined,
  key: (inside: string | undefined) => inside !== undefined && /^[A-Za-z0-9_.:-]+$/.test(inside),
  header: (inside: string | undefined) => /^:?[A-Za-z0-9_-]+(\?:?[A-Za-z0-9_-]+)?$/.test(inside ?? ''),
  optional: (inside: string | undefined) => inside === undefined || /^(%[1-9]?[sfYymdHMSjTFz]|[A-Za-z0-9:., _/+-])*$/.test(inside),
}

/**
 * A text with commands between `%` signs.
 * @param known those that may stand there
 */
export function checkFormat(path: FieldPath, value: string, known: typeof commands = commands): readonly Finding[] {
  const rest = value.replace(/%%|%([A-Z][A-Z0-9_]*)(?:\(([^()]*)\))?(?::[0-9]+)?%/g, (whole, name?: string, inside?: string) => {
    if (name === undefined) return ''
    const wants = Object.hasOwn(known, name) ? known[name] : undefined
    return wants !== undefined && fits[wants](inside) ? '' : whole
  })
  const at = rest.indexOf('%')
  if (at < 0) return []
  const [, name = ''] = /^%([A-Z][A-Z0-9_]*)/.exec(rest.slice(at)) ?? []
  const hint = name === '' ? '' : didYouMean(name, Object.keys(known))
  const text = `"${rest.slice(at, at + 60)}" is no command of Envoy's; a plain percent sign is written %%`
  return [{ path, text: hint === '' ? text : `${text}; ${hint}` }]
}
