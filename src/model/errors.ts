/**
 * The one error class: a stable code, a message that names the thing at fault and says what to do, and the cause.
 * docs/errors.md lists all codes; a retired code is never used again.
 */
export class IsthmusError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'IsthmusError'
    this.code = code
  }
}

/** Every code with the meaning that docs/errors.md prints. */
export const errorCodes = {
  'settings-invalid': 'isthmus.yaml, a flag or an environment variable has an unknown key or a bad value',
  'settings-unreadable': 'the settings file cannot be read',
  'manifest-invalid': 'an object of the configuration is malformed; the rest is served',
  'manifest-unreadable': 'a manifest file cannot be read or is no YAML; its last good content is served',
  'endpoints-invalid': 'an endpoints file is malformed; its last good content is served',
  'endpoints-unreadable': 'an endpoints file is missing or cannot be read; its last good content is served',
  'source-failed': 'a source stopped with an error; its last good endpoints are served and it is restarted',
  'source-unknown': 'no source has this name',
  'service-unknown': 'no source has this service',
  'proxy-unknown': 'no Envoy with this node id is or was connected',
  'override-unknown': 'no override has this id',
  'override-conflict': 'the endpoint has another override, which would contradict',
  'object-unknown': 'no object of this kind and name was read',
  'route-unknown': 'the address does not exist in this API',
  'request-invalid': 'a request has a bad parameter or body',
  'body-too-large': 'a request body is over the limit',
  'token-invalid': 'the admin API wants a bearer token, and the request has none or a wrong one',
  'role-insufficient': 'the role of the bearer token does not allow this request',
  'lease-unknown': 'no such lease: register again',
  'lease-epoch': 'the epoch of a renewal is not the current one: another registration took over',
  'address-refused': 'an address may not be used as an endpoint here',
  'state-damaged': 'the state database could not be read and was moved aside',
  'state-unusable': 'the state database cannot be read or written; what it is for goes on without it',
  'listen-failed': 'an address cannot be listened on',
  'gateway-unreachable': 'no gateway answers at the admin address',
  'tool-missing': 'a program that this command needs is not installed',
  internal: 'a defect in Isthmus: please report it with the log line',
} as const

export type ErrorCode = keyof typeof errorCodes

/** The message of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
