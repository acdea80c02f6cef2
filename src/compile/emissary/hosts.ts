import type { IrTermination } from '../../ir/route-table.ts'
import { withoutPort } from '../../manifests/check-host.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import type { SelectorLike } from '../../manifests/check-values.ts'
import type { ObjectRef } from '../../model/object-ref.ts'
import { covers, overlaps } from './host-glob.ts'
import type { MappingRoute } from './mapping-route.ts'
import { isEmptySelector, selects } from './selector.ts'

export type InsecureAction = 'Redirect' | 'Reject' | 'Route'

/** A Host ready to be joined with Listeners and Mappings. */
export interface HostNode {
  readonly ref: ObjectRef
  readonly labels: Readonly<Record<string, string>>
  /** Lower case, without port. */
  readonly hostname: string
  readonly selector: SelectorLike | undefined
  readonly insecureAction: InsecureAction
  /** How TLS is ended for it; undefined: it is not. */
  readonly tls: IrTermination | undefined
  /** Made up because there is no Host at all: every Listener takes it. */
  readonly synthetic: boolean
}

/** Without any Host there is one for every name, and it routes cleartext (emissary-resources.md 3). */
export const syntheticHost: HostNode = Object.freeze({
  ref: Object.freeze({ kind: 'Host', namespace: 'isthmus', name: 'every-host', at: '' }),
  labels: {},
  hostname: '*',
  selector: undefined,
  insecureAction: 'Route',
  tls: undefined,
  synthetic: true,
})

export function hostNode(host: Checked<'Host'>, tls?: IrTermination): HostNode {
  const { spec, manifest } = host
  const selector = spec.mappingSelector ?? spec.selector
  return {
    ref: manifest.ref,
    labels: manifest.labels,
    hostname: (withoutPort(spec.hostname) ?? '*').toLowerCase(),
    selector: isEmptySelector(selector) ? undefined : selector,
    insecureAction: spec.requestPolicy?.insecure?.action ?? 'Redirect',
    tls,
    synthetic: false,
  }
}

/**
 * Whether a Host takes a Mapping (emissary-resources.md 11, "Hosts x Mappings"): selector and hostname both given: both must match (either,
 * unless strict); one given: that one; neither: never.
 */
export function adopts(host: HostNode, route: MappingRoute, strict: boolean): boolean {
  const byName = route.hostRegex !== undefined ? true : route.hostname === undefined ? undefined : overlaps(host.hostname, route.hostname)
  const byLabels = host.selector === undefined ? undefined : selects(host.selector, route.mapping.manifest.labels)
  if (byName === undefined || byLabels === undefined) return byName ?? byLabels ?? false
  return strict ? byName && byLabels : byName || byLabels
}

/** A Mapping that a Host takes, and its place among all. */
export interface Adopted {
  readonly route: MappingRoute
  readonly index: number
}

/**
 * Which Hosts take which Mappings. Nearly all of either have an exact name, so each Mapping is held only against the Hosts of its name and those
 * that may take others: ten thousand Mappings of a hundred Hosts are not a million questions.
 */
export class Adoption {
  readonly #byHost = new Map<HostNode, Adopted[]>()
  /** Those that no Host takes. */
  readonly orphans: readonly MappingRoute[]

  constructor(hosts: readonly HostNode[], routes: readonly MappingRoute[], strict: boolean) {
    const isExact = (host: HostNode): boolean => !host.hostname.includes('*') && (strict || host.selector === undefined)
    const exact = Map.groupBy(hosts.filter(isExact), host => host.hostname)
    const others = hosts.filter(host => !isExact(host))
    this.orphans = routes.filter((route, index) => {
      const { hostname } = route
      const named =
        hostname === undefined || route.hostRegex !== undefined || hostname.includes('*') ? undefined : (exact.get(hostname) ?? [])
      const takers = (named === undefined ? hosts : [...named, ...others]).filter(host => adopts(host, route, strict))
      for (const host of takers) this.#add(host, { route, index })
      return takers.length === 0
    })
  }

  /** What any of some Hosts take, in the order of the Mappings. */
  of(hosts: readonly HostNode[]): readonly Adopted[] {
    const lists = hosts.map(host => this.#byHost.get(host) ?? [])
    const [only = []] = lists
    if (lists.length <= 1) return only
    return [...new Map(lists.flat().map(one => [one.index, one])).values()].sort((a, b) => a.index - b.index)
  }

  #add(host: HostNode, adopted: Adopted): void {
    const list = this.#byHost.get(host)
    if (list === undefined) this.#byHost.set(host, [adopted])
    else list.push(adopted)
  }
}

/**
 * Whether requests for the Mapping's host can reach the virtual host of `domain` at all: not if another domain of the listener covers the
 * Mapping's hostname more closely, as Envoy takes the closest.
 */
export function reachable(route: MappingRoute, domain: string, domains: readonly string[]): boolean {
  const { hostname } = route
  if (hostname === undefined || covers(hostname, domain)) return true
  return !domains.some(other => other !== domain && covers(domain, other) && covers(other, hostname))
}
