import { isIP } from 'node:net'
import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import { sameEndpoint } from '../../src/model/same-endpoint.ts'
import { errorText } from '../../src/model/errors.ts'
import type { NameAnswer } from './name-watch.ts'

/** Where a Service of type ExternalName leads: to a host name that may be asked for, or why not. */
export type ExternalTarget = { readonly host: string } | { readonly refusal: string }

/** Names that lead back into the cluster, or to this machine (GHSA-5ph6-qq5x-7jwc). */
const internal = /(^|\.)(localhost|local|svc)$/

/**
 * Judges a Service's `externalName` (reference/discovery.md 3.2).
 * @param allow host names, or `*.DOMAIN` for all below it; empty: none is allowed
 */
export function externalTarget(externalName: string, allow: readonly string[]): ExternalTarget {
  const host = externalName.toLowerCase().replace(/\.$/, '')
  if (isIP(host) !== 0) return { refusal: `externalName ${host} is an address: write an EndpointSlice for it` }
  if (!host.includes('.') || internal.test(host)) return { refusal: `externalName "${host}" leads into the cluster or to this machine` }
  if (allow.some(one => covers(one.toLowerCase(), host))) return { host }
  return { refusal: `externalName ${host} is not asked for: list it under externalNames.allow` }
}

function covers(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}

/**
 * Every address has every port of the Service, whose numbers are those of the host. Endpoints that did not change are the former objects.
 * @param ports of the Service, as in KubeService
 */
export function externalEndpoints(
  ports: ReadonlyMap<string, number>,
  addresses: readonly string[],
  former: readonly Endpoint[],
): readonly Endpoint[] {
  return addresses.flatMap(address =>
    [...ports].flatMap(([key, port]) => {
      const slash = key.lastIndexOf('/')
      const protocol = key.slice(slash + 1)
      if (protocol !== 'TCP' && protocol !== 'UDP') return []
      const portName = key.slice(0, slash)
      const made = makeEndpoint({ id: address, address, port, portName, servicePort: port, protocol: protocol === 'UDP' ? 'udp' : 'tcp' })
      return [former.find(one => sameEndpoint(one, made)) ?? made]
    }),
  )
}

/** A name's usable addresses; one that is refused costs only itself. */
export function admitted(
  host: string,
  answer: NameAnswer,
  admit: (address: string) => string,
): { readonly addresses?: readonly string[]; readonly problem?: string } {
  if ('problem' in answer) return { problem: `the addresses of ${host} cannot be asked for, the last known stay: ${answer.problem}` }
  const addresses: string[] = []
  let problem: string | undefined
  for (const address of answer.addresses) {
    try {
      addresses.push(admit(address))
    } catch (error) {
      problem = `${host}: ${errorText(error)}`
    }
  }
  return { addresses, ...(problem === undefined ? {} : { problem }) }
}
