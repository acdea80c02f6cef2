import type { ManifestContext, ManifestGiven, ManifestGroup, ManifestSource } from '../../../src/manifests/contract.ts'
import { errorText } from '../../../src/model/errors.ts'
import type { KubeClient } from '../client.ts'
import { Reflector, type ReflectorStatus, type ReflectorTiming } from '../reflector.ts'
import type { KubeObject } from '../resource.ts'
import type { MappingStates, StatusPolicy } from '../status/desired-status.ts'
import { elect } from '../status/election.ts'
import { StatusWriter } from '../status/status-writer.ts'
import { type Entry, ObjectBook } from './object-book.ts'
import { ReadProblems } from './problems.ts'
import { Ready } from './ready.ts'
import { type ManifestResource, resourceName, resourceOf, secretResource, serviceResource } from './resources.ts'
import { ownNamespace, scopeOf } from './scope.ts'
import { see, type Seen, statusOf } from './seen.ts'

/** What of a cluster's settings and connection is needed here. */
export interface ClusterAccess {
  readonly client: KubeClient
  /** `["*"]`: all. */
  readonly namespaces: readonly string[]
  readonly timing?: Partial<ReflectorTiming>
  /** Length of the lease under which one replica writes status. */
  readonly leaseSeconds?: number
}

/** One part of a collection that is followed. */
interface Part {
  readonly resource: ManifestResource
  readonly namespace?: string
  /** Only this object. */
  readonly name?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

/**
 * The objects of a cluster that configure the gateway (emissary-resources.md 0, 8): our kinds, Ingresses, what stands in annotations of
 * Services, and the Secrets that something refers to, each read by its name. A kind whose CustomResourceDefinition is missing, or that may
 * not be read, costs only itself. What becomes of the objects is written into their status, by one replica at a time.
 */
export function kubernetesManifests(given: ManifestGiven, open: () => ClusterAccess): ManifestSource {
  return {
    async run(context) {
      const access = open()
      try {
        await new Run(given, access, context).work()
      } finally {
        access.client.close()
      }
    },
  }
}

class Run {
  readonly #given: ManifestGiven
  readonly #access: ClusterAccess
  readonly #context: ManifestContext
  readonly #book = new ObjectBook()
  readonly #ready: Ready
  readonly #problems: ReadProblems
  readonly #secrets = new Map<string, AbortController>()
  readonly #following = new Set<Promise<void>>()
  /** Rejects when something stops that should run on. */
  readonly #defect = Promise.withResolvers<never>()
  #addresses: StatusPolicy['addresses']
  #writer: StatusWriter | undefined

  constructor(given: ManifestGiven, access: ClusterAccess, context: ManifestContext) {
    this.#given = given
    this.#access = access
    this.#context = context
    this.#ready = new Ready(() => context.synced())
    this.#problems = new ReadProblems(given.name, context)
    this.#addresses = given.publish.addresses?.map(one => (/^[0-9.]+$|:/.test(one) ? { ip: one } : { hostname: one }))
  }

  async work(): Promise<void> {
    const { secrets, signal } = this.#context
    const { kinds, environment, publish } = this.#given
    const { namespaces, ...selectors } = scopeOf(this.#access.namespaces, environment)
    const parts = (resource: ManifestResource, by: typeof selectors): readonly Part[] =>
      namespaces === undefined || !resource.namespaced
        ? [{ resource, ...by }]
        : namespaces.map(namespace => ({ resource, namespace, ...by }))
    const all = [...kinds.map(resourceOf).flatMap(one => parts(one, one.namespaced ? selectors : {})), ...parts(serviceResource, {})]
    for (const part of all) this.#followObjects(part, signal)
    if (publish.service !== undefined) this.#followAddress(publish.service)
    const followSecrets = (): void => this.#followSecrets(new Set(secrets.keys()))
    const unsubscribe = secrets.onChange(followSecrets)
    followSecrets()
    try {
      await Promise.race([Promise.all([this.#reportStatus(), aborted(signal)]), this.#defect.promise])
    } finally {
      unsubscribe()
      for (const stop of this.#secrets.values()) stop.abort()
      await Promise.allSettled(this.#following)
    }
  }

  #followObjects(part: Part, signal: AbortSignal): void {
    const { resource } = part
    this.#follow<Seen>(part, signal, {
      strip: object => see(object, resource),
      onChanges: changes => {
        const groups = changes.flatMap(({ before, after }) => {
          if (after !== undefined) return this.#changed(after, resource)
          const id = before === undefined ? undefined : this.#book.remove(before.content.metadata, resource)
          return id === undefined ? [] : [{ id, objects: [], problems: [] }]
        })
        if (groups.length > 0) this.#context.emit(groups)
      },
    })
  }

  /** What is made of an object: a group if its content differs from before. */
  #changed(seen: Seen, resource: ManifestResource): readonly ManifestGroup[] {
    const entry = this.#book.put(seen, resource)
    return entry === undefined ? [] : [this.#groupOf(entry)]
  }

  /** An object that cannot be read keeps what was served of it. */
  #groupOf(entry: Entry): ManifestGroup {
    const { name, namespace } = entry.content.metadata
    const at = [this.#given.name, ...(namespace === undefined ? [] : [namespace]), name].join('/')
    const { objects, problems } = this.#context.read(entry.content, at)
    // A Service is only the carrier of its annotation.
    const ours = entry.resource.kind === 'Service' ? objects.filter(one => one.kind !== 'Service') : objects
    const [own] = ours
    if (own !== undefined && own.kind === entry.resource.kind && own.name === name) this.#book.bind(entry, own)
    return { id: entry.id, objects: ours, problems, keep: problems.length > 0 }
  }

  /** Each by its name: to list Secrets would need the right to read all of them. */
  #followSecrets(wanted: ReadonlySet<string>): void {
    for (const [place, stop] of this.#secrets) {
      if (wanted.has(place)) continue
      stop.abort()
      this.#secrets.delete(place)
      const id = this.#book.remove(metadataOf(place), secretResource)
      if (id !== undefined) this.#context.emit([{ id, objects: [], problems: [] }])
    }
    for (const place of wanted) {
      const { namespace, name } = metadataOf(place)
      if (this.#secrets.has(place) || !isReadable(this.#access.namespaces, namespace)) continue
      const stop = new AbortController()
      this.#secrets.set(place, stop)
      const part = { resource: secretResource, namespace, name }
      this.#followObjects(part, AbortSignal.any([this.#context.signal, stop.signal]))
    }
  }

  /** The addresses of the gateway's own Service, for Ingresses. */
  #followAddress(service: string): void {
    const { namespace, name } = metadataOf(service)
    const part = { resource: serviceResource, namespace, name }
    this.#follow<Readonly<Record<string, unknown>>>(part, this.#context.signal, {
      strip: (object: KubeObject) => statusOf(object),
      onChanges: changes => {
        this.#addresses = ingressPoints(changes.at(-1)?.after)
        this.#writer?.changed()
      },
    })
  }

  #follow<T>(
    part: Part,
    signal: AbortSignal,
    { strip, onChanges }: Pick<ConstructorParameters<typeof Reflector<T>>[0], 'strip' | 'onChanges'>,
  ): void {
    const { clock, random, log } = this.#context
    const { client, timing = {} } = this.#access
    const isDone = this.#ready.expect()
    const { name } = part
    const place = [resourceName(part.resource), part.namespace ?? '', name ?? ''].join(' ')
    const over = (): boolean => signal.aborted
    const reflector = new Reflector<T>({
      client,
      ...part,
      // A right to this object alone is enough for this.
      ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
      strip,
      onChanges: (changes, at, origin) => {
        if (!over()) onChanges(changes, at, origin)
      },
      onSynced: isDone,
      onStatus: ({ failure }) => {
        if (over()) return
        this.#problems.set(place, failureText(part, failure))
        // What is not there, or not ours to read, cannot be waited for.
        if (failure?.kind === 'absent' || failure?.kind === 'forbidden') isDone()
      },
      timing,
      clock,
      random,
      // Said here, once for what they have in common.
      log: {
        ...log,
        warn: (data, text) => log.debug(data, text),
        info: (data, text) => log.debug(data, text),
        debug: (data, text) => log.debug(data, text),
        error: (data, text) => log.error(data, text),
      },
    })
    const following = reflector.run(signal).catch((error: unknown) => this.#defect.reject(error))
    this.#following.add(following)
    void following.finally(() => {
      this.#following.delete(following)
      this.#problems.set(place, undefined)
      // A Secret that is no longer asked for must not be waited for.
      if (!this.#context.signal.aborted) isDone()
    })
  }

  async #reportStatus(): Promise<void> {
    const { publish, environment, identity, ambassadorIds } = this.#given
    if (!publish.status) return
    const { clock, random, log, statuses, signal } = this.#context
    const { client, leaseSeconds = 15 } = this.#access
    const mappingStates = mappingStatesOf(environment['AMBASSADOR_UPDATE_MAPPING_STATUS'])
    const policy = (): StatusPolicy => ({ mappingStates, addresses: this.#addresses })
    const writer = new StatusWriter({ client, book: this.#book, statuses, policy, clock, random, log })
    this.#writer = writer
    // Gateways of different ambassador_ids write about different objects.
    const name = `isthmus-status-${[...ambassadorIds].sort().join('-')}`.toLowerCase().replace(/[^a-z0-9.-]/g, '-')
    const lease = {
      namespace: () => ownNamespace(environment) ?? client.namespace ?? 'default',
      name,
      identity: environment['POD_NAME'] ?? identity,
      seconds: leaseSeconds,
    }
    await Promise.all([writer.run(signal), elect({ client, ...lease, clock, random, log, onChange: leads => writer.lead(leads) }, signal)])
  }
}

/** Undefined: nothing that anybody need know. Nobody has to install every kind. */
function failureText({ resource, namespace, name }: Part, failure: ReflectorStatus['failure']): string | undefined {
  if (failure === undefined || failure.kind === 'absent') return undefined
  if (failure.kind === 'unreachable' || failure.kind === 'unauthorized')
    return `the API server cannot be read: ${errorText(failure.cause ?? failure)}; what was read before is served`
  const what = name === undefined ? resourceName(resource) : `${resource.kind} ${namespace ?? ''}/${name}`
  return `${what} cannot be read: ${failure.message}; what was read before is served`
}

function metadataOf(place: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', name = ''] = place.split('/')
  return { namespace, name }
}

/** A Secret elsewhere is none of what this gateway may see. */
function isReadable(namespaces: readonly string[], namespace: string): boolean {
  return namespaces.length === 0 || namespaces.includes('*') || namespaces.includes(namespace)
}

/** `status.loadBalancer.ingress` of a Service, as far as an Ingress has it too. */
function ingressPoints(status: Readonly<Record<string, unknown>> | undefined): readonly Readonly<Record<string, unknown>>[] {
  const { ingress = [] } = (status?.['loadBalancer'] ?? {}) as { ingress?: readonly Readonly<Record<string, unknown>>[] }
  return ingress.map(({ ip, hostname }) => ({
    ...(typeof ip === 'string' ? { ip } : {}),
    ...(typeof hostname === 'string' ? { hostname } : {}),
  }))
}

function mappingStatesOf(value: string | undefined): MappingStates {
  if (value === undefined || value === '') return 'refusals'
  return ['0', 'false', 'no', 'off'].includes(value.toLowerCase()) ? 'none' : 'all'
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
