import type { ServiceKey } from '../../model/service-key.ts'
import type { KnownServices } from './input.ts'

/** Asks what is known and remembers every "no": the caller compiles again when one of these becomes known. */
export class Lookups implements KnownServices {
  readonly services = new Set<ServiceKey>()
  readonly namespaces = new Set<string>()
  readonly #known: KnownServices
  readonly #ownNamespaces: ReadonlySet<string>
  #declared: { has(service: ServiceKey): boolean } = new Set<ServiceKey>()

  /** @param ownNamespaces namespaces that objects of the configuration stand in: known whatever the sources say */
  constructor(known: KnownServices, ownNamespaces: ReadonlySet<string>) {
    this.#known = known
    this.#ownNamespaces = ownNamespaces
  }

  /** Services that objects of the configuration make, whatever the sources say. */
  declare(services: { has(service: ServiceKey): boolean }): void {
    this.#declared = services
  }

  has(service: ServiceKey): boolean {
    const found = this.#declared.has(service) || this.#known.has(service)
    if (!found) this.services.add(service)
    return found
  }

  hasNamespace(namespace: string): boolean {
    const found = this.#ownNamespaces.has(namespace) || this.#known.hasNamespace(namespace)
    if (!found) this.namespaces.add(namespace)
    return found
  }
}
