import { isIP } from 'node:net'
import { checkClusterOptions } from './check-cluster-options.ts'
import { checkHostname } from './check-values.ts'
import type { KindFindings } from './checked-object.ts'
import type { TcpMappingSpec } from './schema/tcp-mapping.ts'

/** The rules of a TCPMapping that concern it alone (emissary-resources.md 2). */
export function checkTcpMapping(spec: TcpMappingSpec): KindFindings {
  const { host, address } = spec
  const suffix = host?.endsWith('.*') === true
  return {
    problems: [
      ...checkHostname(['spec', 'host'], host),
      ...(suffix ? [{ path: ['spec', 'host'], text: `"${host}": in a TLS handshake only the first label may be "*"` }] : []),
      ...(address !== undefined && isIP(address) === 0 ? [{ path: ['spec', 'address'], text: `"${address}" is no IP address` }] : []),
      ...checkClusterOptions(spec),
    ],
    notices: [],
  }
}
