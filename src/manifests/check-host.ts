import { checkHostname, checkSelector } from './check-values.ts'
import type { KindFindings } from './checked-object.ts'
import type { HostSpec } from './schema/host.ts'

/** The rules of a Host that concern it alone (emissary-resources.md 3). A port in the hostname is cut off before the check. */
export function checkHost(spec: HostSpec): KindFindings {
  const both = spec.mappingSelector !== undefined && spec.selector !== undefined
  const exclusive = spec.tls !== undefined && spec.tlsContext !== undefined
  const tls = (['tlsSecret', 'tlsContext', 'tls'] as const).filter(field => spec[field] !== undefined)
  return {
    problems: [
      ...checkHostname(['spec', 'hostname'], withoutPort(spec.hostname)),
      ...checkSelector(['spec', 'mappingSelector'], spec.mappingSelector),
      ...checkSelector(['spec', 'selector'], spec.selector),
      ...(exclusive ? [{ path: ['spec', 'tls'], text: 'give tls or tlsContext, not both' }] : []),
    ],
    notices: [
      ...(both ? ['spec.selector has no effect beside spec.mappingSelector'] : []),
      ...(tls.length > 0 ? ['TLS is not ended here yet: requests reach this Host only through cleartext Listeners'] : []),
    ],
    unsupported: [],
  }
}

/** A host name without the port it may carry. */
export function withoutPort(hostname: string | undefined): string | undefined {
  return hostname?.replace(/:[0-9]+$/, '')
}
