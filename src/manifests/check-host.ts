import { checkTlsOptions } from './check-tls.ts'
import { checkHostname, checkSelector } from './check-values.ts'
import type { KindFindings } from './checked-object.ts'
import type { HostSpec } from './schema/host.ts'

/** The rules of a Host that concern it alone (emissary-resources.md 3). A port in the hostname is cut off before the check. */
export function checkHost(spec: HostSpec): KindFindings {
  const both = spec.mappingSelector !== undefined && spec.selector !== undefined
  const exclusive = spec.tls !== undefined && spec.tlsContext !== undefined
  const { tls } = spec
  const twice = spec.tlsSecret !== undefined && tls?.cert_chain_file !== undefined
  return {
    problems: [
      ...checkHostname(['spec', 'hostname'], withoutPort(spec.hostname)),
      ...checkSelector(['spec', 'mappingSelector'], spec.mappingSelector),
      ...checkSelector(['spec', 'selector'], spec.selector),
      ...(exclusive ? [{ path: ['spec', 'tls'], text: 'give tls or tlsContext, not both' }] : []),
      ...(twice ? [{ path: ['spec', 'tls', 'cert_chain_file'], text: 'give tlsSecret or cert_chain_file, not both' }] : []),
      ...(tls === undefined ? [] : checkTlsOptions(['spec', 'tls'], tls)),
    ],
    notices: both ? ['spec.selector has no effect beside spec.mappingSelector'] : [],
  }
}

/** A host name without the port it may carry. */
export function withoutPort(hostname: string | undefined): string | undefined {
  return hostname?.replace(/:[0-9]+$/, '')
}
