import type { Checked, CheckedObject, Finding } from '../../manifests/checked-object.ts'
import { type ObjectRef, refText } from '../../model/object-ref.ts'
import { consulAddress } from './consul-address.ts'
import type { CompileInput, ConsulRequest, ConsulSource } from './input.ts'

/** How a `service:` is to be read (interface.md, "What `service:` means"). */
export type Resolver =
  | { readonly kind: 'hybrid' | 'kubernetes-endpoint' | 'kubernetes-service' }
  /** `source` undefined: offline, any Consul source. */
  | { readonly kind: 'consul'; readonly source: string | undefined; readonly namespace: string }

type ResolverObject = Checked<'ConsulResolver' | 'KubernetesServiceResolver' | 'KubernetesEndpointResolver'>

/** The resolvers of one compilation: objects by name, then the names that exist without an object. */
export class Resolvers {
  readonly #objects: readonly ResolverObject[]
  readonly #sources: CompileInput['consulSources']
  readonly #environment: NonNullable<CompileInput['environment']>
  /** The Module's, for what names none. */
  #byDefault: string | undefined
  readonly #requests = new Map<string, { source: ConsulSource; resolvers: ObjectRef[] }>()

  constructor(objects: readonly CheckedObject[], input: CompileInput) {
    this.#objects = objects.filter(object => object.kind.endsWith('Resolver')) as readonly ResolverObject[]
    this.#sources = input.consulSources
    this.#environment = input.environment ?? {}
  }

  /** Consul sources to be made, by name. */
  requests(): readonly ConsulRequest[] {
    return [...this.#requests.values()]
      .map(({ source, resolvers }) => ({ ...source, resolvers }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** The findings about a resolver object itself; binds ConsulResolvers to their source, or asks for one. */
  check(object: CheckedObject): readonly Finding[] {
    if (object.kind !== 'ConsulResolver') return []
    const bound = this.#bind(object)
    return typeof bound === 'string' ? [{ path: ['spec', 'address'], text: bound }] : []
  }

  /** Sets the resolver of what names none. Undefined if it can be found from this namespace, else a sentence on why not; it is then not set. */
  setDefault(name: string, namespace: string): string | undefined {
    const found = this.find(name, namespace)
    if (typeof found === 'string') return found
    this.#byDefault = name
    return undefined
  }

  /**
   * The resolver of a name as seen from a namespace: its own namespace first, then a unique match elsewhere, `name.namespace` accepted;
   * objects go before implicit names (emissary-resources.md 9, "Resolver lookup").
   * @returns the resolver, or a sentence on why there is none
   */
  find(given: string | undefined, namespace: string): Resolver | string {
    const name = given ?? this.#byDefault
    if (name === undefined) return { kind: 'hybrid' }
    const named = this.#objects.filter(object => object.manifest.name === name)
    const own = named.filter(object => object.manifest.namespace === namespace)
    const dot = name.lastIndexOf('.')
    const qualified = this.#objects.filter(
      object => dot > 0 && object.manifest.name === name.slice(0, dot) && object.manifest.namespace === name.slice(dot + 1),
    )
    const candidates = [own, named, qualified].find(list => list.length > 0) ?? []
    const [first, second] = candidates
    if (first !== undefined && second !== undefined)
      return `resolver "${name}" is ambiguous: ${candidates.map(object => refText(object.manifest.ref)).join(', ')}; write ${name}.NAMESPACE`
    return first === undefined ? this.#implicit(name) : this.#ofObject(first)
  }

  #ofObject(object: ResolverObject): Resolver | string {
    const checked = object as CheckedObject
    if (checked.kind === 'KubernetesEndpointResolver') return { kind: 'kubernetes-endpoint' }
    if (checked.kind === 'KubernetesServiceResolver') return { kind: 'kubernetes-service' }
    if (checked.kind !== 'ConsulResolver') return `${checked.kind} is no resolver`
    const bound = this.#bind(checked)
    return typeof bound === 'string'
      ? `${refText(object.manifest.ref)} cannot be used: ${bound}`
      : { kind: 'consul', source: bound.name, namespace: bound.namespace }
  }

  #implicit(name: string): Resolver | string {
    if (name === 'hybrid' || name === 'kubernetes-service') return { kind: name }
    if (name === 'endpoint' || name === 'kubernetes-endpoint') return { kind: 'kubernetes-endpoint' }
    if (name !== 'consul' && name !== 'consul-endpoint')
      return `there is no resolver "${name}"; write a ConsulResolver, KubernetesEndpointResolver or KubernetesServiceResolver of this name, or use hybrid`
    if (this.#sources === undefined) return { kind: 'consul', source: undefined, namespace: 'default' }
    const [first, second] = this.#sources
    if (first === undefined)
      return `resolver "${name}" means the Consul source of the settings, which have none; add one or write a ConsulResolver`
    if (second !== undefined)
      return `resolver "${name}" is ambiguous: the settings have ${this.#sources.map(source => source.name).join(', ')}; write a ConsulResolver with address and datacenter`
    return { kind: 'consul', source: first.name, namespace: first.namespace }
  }

  /** The source with the resolver's address and datacenter: one of the settings, else one that is asked for. */
  #bind(object: Checked<'ConsulResolver'>): ConsulSource | string {
    const address = consulAddress(object.spec.address, this.#environment)
    if ('problem' in address) return address.problem
    const { datacenter } = object.spec
    const sameAddress = (this.#sources ?? []).filter(source => {
      const own = consulAddress(source.address, this.#environment)
      return 'url' in own && own.url === address.url
    })
    const bound = sameAddress.find(source => source.datacenter === datacenter) ?? (datacenter === undefined ? sameAddress[0] : undefined)
    if (bound !== undefined) return bound
    // Fits the pattern of source names in the settings.
    const name = `consul-${datacenter ?? 'local'}-${address.url.replace(/^http:\/\//, '')}`.replace(/[^A-Za-z0-9._-]+/g, '-')
    const request = this.#requests.get(name) ?? { source: { name, address: address.url, datacenter, namespace: 'default' }, resolvers: [] }
    const ref = object.manifest.ref
    if (!request.resolvers.some(one => one.namespace === ref.namespace && one.name === ref.name)) request.resolvers.push(ref)
    this.#requests.set(name, request)
    return request.source
  }
}
