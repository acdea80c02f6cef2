import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import type { Endpoint } from '../../src/model/endpoint.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import type { Backend } from './backend.ts'
import { externalEndpoints } from './external-name.ts'
import type { KubeNode, KubeService } from './kube-service.ts'
import type { ResourceChange } from './shelf.ts'
import { translate } from './translate.ts'

/** How many of those that are left out are named. */
const shownRefusals = 5

const none: readonly Endpoint[] = []

/**
 * Joins slices, Services and nodes to groups, one per Service, and knows which of them may have changed. A group is gone when no slice of
 * its Service has an endpoint, whatever became of the Service itself (reference/discovery.md 3.1 rule 9).
 */
export class ServiceIndex {
  readonly #backends = new Map<string, Map<string, Backend>>()
  readonly #services = new Map<string, KubeService>()
  readonly #nodes = new Map<string, KubeNode>()
  readonly #emitted = new Map<string, readonly Endpoint[]>()
  readonly #refusals = new Map<string, readonly string[]>()
  readonly #dirty = new Set<string>()
  /** Services of type ExternalName, by the host that they lead to. */
  readonly #byHost = new Map<string, Set<string>>()
  readonly #addresses = new Map<string, readonly string[]>()
  readonly #problems = new Map<string, string>()

  get dirty(): number {
    return this.#dirty.size
  }

  takeBackends(changes: readonly ResourceChange<Backend>[]): void {
    for (const { key, before, after } of changes) {
      if (before !== undefined && (after === undefined || before.service !== after.service)) {
        const service = keyOf(before.namespace, before.service)
        const left = this.#backends.get(service)
        left?.delete(key)
        if (left?.size === 0) this.#backends.delete(service)
        this.#dirty.add(service)
      }
      if (after === undefined) continue
      const service = keyOf(after.namespace, after.service)
      let backends = this.#backends.get(service)
      if (backends === undefined) this.#backends.set(service, (backends = new Map<string, Backend>()))
      backends.set(key, after)
      this.#dirty.add(service)
    }
  }

  takeServices(changes: readonly ResourceChange<KubeService>[]): void {
    for (const { key, before, after } of changes) {
      if (after === undefined) this.#services.delete(key)
      else this.#services.set(key, after)
      if (before?.external !== undefined || after?.external !== undefined) this.#relate(key, hostOf(before), hostOf(after))
      else if (this.#backends.has(key)) this.#dirty.add(key)
    }
  }

  /** Host names that Services of type ExternalName lead to. */
  get hosts(): ReadonlySet<string> {
    return new Set(this.#byHost.keys())
  }

  /** What became known of a host name: its usable addresses, or why they cannot be told, in which case the last ones stay. */
  takeAddresses(host: string, answer: { readonly addresses?: readonly string[]; readonly problem?: string }): void {
    if (answer.problem === undefined) this.#problems.delete(host)
    else this.#problems.set(host, answer.problem)
    if (answer.addresses === undefined) return
    this.#addresses.set(host, answer.addresses)
    for (const service of this.#byHost.get(host) ?? []) this.#dirty.add(service)
  }

  #relate(service: string, before: string | undefined, after: string | undefined): void {
    this.#dirty.add(service)
    if (before === after) return
    const left = before === undefined ? undefined : this.#byHost.get(before)
    left?.delete(service)
    if (before !== undefined && left?.size === 0) {
      this.#byHost.delete(before)
      this.#addresses.delete(before)
      this.#problems.delete(before)
    }
    if (after === undefined) return
    const known = this.#byHost.get(after)
    if (known === undefined) this.#byHost.set(after, new Set([service]))
    else known.add(service)
  }

  takeNodes(changes: readonly ResourceChange<KubeNode>[]): void {
    const moved = new Set<string>()
    for (const { before, after } of changes) {
      const name = (after ?? before)?.name ?? ''
      if (after === undefined) this.#nodes.delete(name)
      else this.#nodes.set(name, after)
      if (before?.region !== after?.region || before?.zone !== after?.zone) moved.add(name)
    }
    if (moved.size === 0) return
    for (const [service, backends] of this.#backends) if (anyOn(backends, moved)) this.#dirty.add(service)
  }

  /** Every group is told again. */
  repeat(): void {
    for (const service of this.#backends.keys()) this.#dirty.add(service)
    for (const service of this.#emitted.keys()) this.#dirty.add(service)
  }

  /** The next groups that may have changed, at most `limit`. An empty one is given only if the former was not. `all`: also unchanged ones. */
  take(limit: number, all: boolean): readonly EndpointGroup[] {
    const groups: EndpointGroup[] = []
    for (const service of this.#dirty) {
      if (groups.length >= limit) break
      this.#dirty.delete(service)
      const former = this.#emitted.get(service) ?? none
      const endpoints = this.#translate(service, former)
      if (endpoints.length === 0 ? former.length === 0 : !all && sameItems(endpoints, former)) continue
      if (endpoints.length === 0) this.#emitted.delete(service)
      else this.#emitted.set(service, endpoints)
      groups.push({ id: service, service: service as EndpointGroup['service'], endpoints })
    }
    return groups
  }

  /** One sentence about what is left out, or an empty one. */
  notice(): string {
    const [problem = ''] = this.#problems.values()
    return [this.#leftOut(), problem].filter(one => one !== '').join('; ')
  }

  #leftOut(): string {
    const shown: string[] = []
    let count = 0
    for (const texts of this.#refusals.values()) {
      count += texts.length
      if (shown.length < shownRefusals) shown.push(...texts.slice(0, shownRefusals - shown.length))
    }
    if (count === 0) return ''
    const more = count > shown.length ? ` (and ${String(count - shown.length)} more)` : ''
    return `${count === 1 ? '1 part of a slice or Service is' : `${String(count)} parts of slices or Services are`} left out: ${shown.join('; ')}${more}`
  }

  #translate(service: string, former: readonly Endpoint[]): readonly Endpoint[] {
    const known = this.#services.get(service)
    if (known?.external !== undefined) return this.#externalOf(service, known, former)
    const backends = this.#backends.get(service)
    if (backends === undefined) {
      this.#refusals.delete(service)
      return none
    }
    const { endpoints, refusals } = translate([...backends.values()], {
      service: known,
      nodeOf: name => this.#nodes.get(name),
      former,
    })
    if (refusals.length > 0) this.#refusals.set(service, refusals)
    else this.#refusals.delete(service)
    return endpoints
  }

  #externalOf(service: string, known: KubeService, former: readonly Endpoint[]): readonly Endpoint[] {
    const { external } = known
    const refuse = (text: string): void => void this.#refusals.set(service, [`${service}: ${text}`])
    if (external !== undefined && 'refusal' in external) refuse(external.refusal)
    else if (known.ports.size === 0) refuse('a Service of type ExternalName without ports: name them under spec.ports')
    else this.#refusals.delete(service)
    return externalEndpoints(known.ports, this.#addresses.get(hostOf(known) ?? '') ?? [], former)
  }
}

function hostOf(service: KubeService | undefined): string | undefined {
  return service?.external !== undefined && 'host' in service.external ? service.external.host : undefined
}

/** The key of a Service, which is that of its group and of its logical service. */
function keyOf(namespace: string, name: string): string {
  return serviceKey(namespace, name)
}

function anyOn(backends: ReadonlyMap<string, Backend>, nodes: ReadonlySet<string>): boolean {
  for (const { parts } of backends.values()) {
    for (const { endpoints } of parts) for (const { node } of endpoints) if (nodes.has(node)) return true
  }
  return false
}

function sameItems(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
