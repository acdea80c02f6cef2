import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DiscoverySource, RemovalCause, SourceContext, SourceGiven, WatchCounts } from '../../src/discovery/contract.ts'
import { type Backend, type BackendGiven, legacyReader, sliceReader } from './backend.ts'
import { createKubeClient, type KubeClient } from './client.ts'
import { admitted } from './external-name.ts'
import { type KubeNode, type KubeService, readNode, readService } from './kube-service.ts'
import { NameWatch } from './name-watch.ts'
import { Reflector, type ReflectorCounts, type ReflectorOptions, type ReflectorStatus } from './reflector.ts'
import type { KubeObject, KubeResource } from './resource.ts'
import { ServiceIndex } from './service-index.ts'
import type { KubernetesSettings } from './settings.ts'
import { type ResourceChange, Shelf } from './shelf.ts'

const slices: KubeResource = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' }
const legacyEndpoints: KubeResource = { group: '', version: 'v1', plural: 'endpoints' }
const services: KubeResource = { group: '', version: 'v1', plural: 'services' }
const nodes: KubeResource = { group: '', version: 'v1', plural: 'nodes' }

/** How often the files of credentials are looked at. */
const fileCheckMs = 1000
/** Groups that are made before the event loop gets its turn: at 100 endpoints each, a few milliseconds. */
const groupsPerTurn = 50

/** What outlives a run: the copies of the cluster's resources, so that a new run takes nothing away before it knows better. */
export interface KnownCluster {
  readonly index: ServiceIndex
  readonly shelves: Map<string, Shelf<unknown>>
  order: number
  readonly admitAddress: (address: string) => string
}

/** Reads one cluster's EndpointSlices, joined to groups by their Service. */
export function kubernetesSource(
  settings: KubernetesSettings,
  given: SourceGiven,
): { source: DiscoverySource; readonly watches: () => readonly WatchCounts[] } {
  const known: KnownCluster = {
    index: new ServiceIndex(),
    shelves: new Map(),
    order: 0,
    admitAddress: address => given.admitAddress(address),
  }
  let current: KubernetesRun | undefined
  return {
    source: {
      run: context => {
        current = new KubernetesRun(settings, known, context)
        return current.run()
      },
    },
    watches: () => current?.counts() ?? [],
  }
}

interface Followed {
  readonly resource: KubeResource
  readonly namespace: string | undefined
  readonly reflector: Reflector<unknown>
  readonly stop: AbortController
  /** Its endpoints are what the source is for. */
  readonly essential: boolean
  status: ReflectorStatus | undefined
}

class KubernetesRun {
  readonly #settings: KubernetesSettings
  readonly #known: KnownCluster
  readonly #context: SourceContext
  readonly #client: KubeClient
  readonly #followed: Followed[] = []
  readonly #over = new AbortController()
  readonly #defect = Promise.withResolvers<never>()
  readonly #runs = new Set<Promise<void>>()
  #names: NameWatch | undefined
  #synced = false
  #isLost = false
  /** All groups are told, also those that did not change. */
  #repeating = false
  /** A list is complete: say so when its last group was told. */
  #announcing = false
  #isPumping = false
  /** The last pump, which may be over. */
  #pumping: Promise<void> | undefined
  #cause: RemovalCause = 'explicit'
  #receivedAt: number | undefined
  #notice: string | undefined

  constructor(settings: KubernetesSettings, known: KnownCluster, context: SourceContext) {
    this.#settings = settings
    this.#known = known
    this.#context = context
    const { kubeconfig, context: name } = settings
    this.#client = createKubeClient({
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(typeof name === 'string' ? { context: name } : {}),
    })
  }

  async run(): Promise<void> {
    const { signal } = this.#context
    const end = (): void => this.#over.abort()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      this.#followNames()
      for (const namespace of this.#namespaces()) {
        this.#followSlices(namespace)
        const { allow = [] } = this.#settings.externalNames ?? {}
        const read = (object: KubeObject): KubeService | undefined => readService(object, allow)
        this.#follow<KubeService>(services, namespace, false, read, changes => {
          this.#known.index.takeServices(changes)
          this.#names?.follow(this.#known.index.hosts)
        })
      }
      if (this.#settings.nodes !== false)
        this.#follow<KubeNode>(nodes, undefined, false, readNode, changes => this.#known.index.takeNodes(changes))
      await Promise.race([this.#followFiles(), this.#defect.promise])
    } finally {
      signal.removeEventListener('abort', end)
      end()
      this.#client.close()
      await Promise.allSettled([...this.#runs, this.#pumping])
    }
    signal.throwIfAborted()
  }

  counts(): readonly WatchCounts[] {
    const sums = new Map<string, ReflectorCounts>()
    for (const { resource, reflector } of this.#followed) {
      const { counts } = reflector.status
      const sum = sums.get(resource.plural)
      if (sum === undefined) sums.set(resource.plural, { ...counts })
      else for (const name of Object.keys(counts) as (keyof ReflectorCounts)[]) sum[name] += counts[name]
    }
    return [...sums].map(([resource, counts]) => ({ resource, ...counts }))
  }

  #namespaces(): readonly (string | undefined)[] {
    const { namespaces = ['*'] } = this.#settings
    return namespaces.includes('*') ? [undefined] : [...new Set(namespaces)]
  }

  #followSlices(namespace: string | undefined): void {
    const read = sliceReader(this.#backendGiven())
    this.#follow<Backend>(slices, namespace, true, read, changes => this.#known.index.takeBackends(changes))
  }

  /** Host names are asked for only where some are allowed. */
  #followNames(): void {
    const { allow = [], servers = [] } = this.#settings.externalNames ?? {}
    if (allow.length === 0) return
    const { index, admitAddress } = this.#known
    const { clock, random } = this.#context
    this.#names = new NameWatch({
      servers,
      clock,
      random,
      signal: this.#over.signal,
      onAnswer: (host, answer) => {
        index.takeAddresses(host, admitted(host, answer, admitAddress))
        // What DNS no longer says is merely missing.
        this.#flush(clock.now(), 'absent')
        this.#reportNotice()
        if (!this.#synced) this.#checkSynced(false)
      },
    })
    this.#names.follow(index.hosts)
  }

  #backendGiven(): BackendGiven {
    return { nextOrder: () => ++this.#known.order, admitAddress: this.#known.admitAddress }
  }

  /** Reads legacy Endpoints where, and as long as, there are no slices: never both (reference/discovery.md 3.1 rule 10). */
  #balanceLegacy({ namespace, status }: Followed): void {
    const legacy = this.#followed.find(one => one.resource === legacyEndpoints && one.namespace === namespace)
    if (status?.failure?.kind === 'absent' && !status.synced && legacy === undefined) {
      const read = legacyReader(this.#backendGiven())
      this.#follow<Backend>(legacyEndpoints, namespace, true, read, changes => this.#known.index.takeBackends(changes))
    } else if (status?.synced === true && legacy !== undefined) {
      legacy.stop.abort()
      this.#followed.splice(this.#followed.indexOf(legacy), 1)
      const gone = [...legacy.reflector.objects.entries()].map(([key, before]) => ({ key, before: before as Backend, after: undefined }))
      this.#known.shelves.delete(shelfKey(legacyEndpoints, namespace))
      this.#known.index.takeBackends(gone)
    }
  }

  #follow<T>(
    resource: KubeResource,
    namespace: string | undefined,
    essential: boolean,
    strip: (object: KubeObject, former: T | undefined) => T | undefined,
    take: (changes: readonly ResourceChange<T>[]) => void,
  ): void {
    const { clock, random, log } = this.#context
    const key = shelfKey(resource, namespace)
    const shelf = (this.#known.shelves.get(key) as Shelf<T> | undefined) ?? new Shelf<T>()
    this.#known.shelves.set(key, shelf)
    const timing = this.#settings.watches ?? {}
    const options: ReflectorOptions<T> = {
      client: this.#client,
      resource,
      ...(namespace === undefined ? {} : { namespace }),
      strip,
      shelf,
      timing,
      clock,
      random,
      log,
      onChanges: (changes, receivedAt, origin) => {
        take(changes)
        this.#flush(receivedAt, origin === 'watch' ? 'explicit' : 'absent')
      },
      onSynced: () => this.#checkSynced(true),
      onStatus: status => this.#onStatus(followed, status),
    }
    const stop = new AbortController()
    const reflector = new Reflector<T>(options)
    const followed: Followed = {
      resource,
      namespace,
      reflector: reflector as unknown as Reflector<unknown>,
      stop,
      essential,
      status: undefined,
    }
    this.#followed.push(followed)
    const running = reflector.run(AbortSignal.any([this.#over.signal, stop.signal]))
    this.#runs.add(running)
    running.catch((error: unknown) => this.#defect.reject(error)).finally(() => this.#runs.delete(running))
  }

  #onStatus(followed: Followed, status: ReflectorStatus): void {
    followed.status = status
    if (followed.resource === slices) this.#balanceLegacy(followed)
    const { resource, namespace, essential } = followed
    // The slices of all that is read are the source; all else is a part of it.
    const isWhole = essential && this.#namespaces().length === 1
    const scope = isWhole ? '' : `${resource.plural}${namespace === undefined ? '' : ` in ${namespace}`}`
    const replaced = resource === slices && this.#followed.some(one => one.resource === legacyEndpoints && one.namespace === namespace)
    if (status.failure === undefined || replaced) this.#context.report({ ok: true, scope })
    else if (!isOptional(followed)) this.#context.report({ ok: false, code: codeOf(status), error: textOf(followed, status), scope })
    if (!isWhole && essential) this.#reportWhole(followed, status)
    this.#reportNotice()
    if (!this.#synced) this.#checkSynced(false)
  }

  /** Of several namespaces: while none can be read, nothing of the source can. */
  #reportWhole(followed: Followed, status: ReflectorStatus): void {
    const isLost = this.#followed.every(one => !one.essential || one.status?.failure !== undefined)
    if (isLost) this.#context.report({ ok: false, code: codeOf(status), error: textOf(followed, status), scope: '' })
    else if (this.#isLost) this.#context.report({ ok: true, scope: '' })
    this.#isLost = isLost
  }

  /** The first sync waits for all that can be read: what is refused or missing is not waited for. */
  #checkSynced(listed: boolean): void {
    if (!this.#synced) {
      const essential = this.#followed.filter(one => one.essential)
      if (!essential.some(one => one.reflector.status.synced) || !this.#followed.every(isSettled) || this.#names?.isSettled === false)
        return
      this.#synced = true
      this.#known.index.repeat()
      this.#repeating = true
      this.#cause = 'absent'
    } else if (!listed) return
    this.#announcing = true
    this.#startPump()
  }

  /** Tells what changed: a little at once, much in turns. */
  #flush(receivedAt: number, cause: RemovalCause): void {
    if (this.#over.signal.aborted || !this.#synced) return
    const { index } = this.#known
    // While groups wait for their turn, the weaker word about them holds for all.
    if (this.#isPumping) {
      if (cause === 'absent') this.#cause = cause
      return
    }
    if (index.dirty <= groupsPerTurn) {
      this.#emit(index.take(groupsPerTurn, false), receivedAt, cause)
      return
    }
    this.#cause = cause
    this.#receivedAt = receivedAt
    this.#startPump()
  }

  #startPump(): void {
    if (this.#isPumping) return
    // A pump that finds nothing to do is over before its promise is here: only the flag says whether one runs.
    this.#pumping = this.#pump().catch((error: unknown) => this.#defect.reject(error))
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    const { index } = this.#known
    const { signal } = this.#over
    while (index.dirty > 0 && !signal.aborted) {
      this.#emit(index.take(groupsPerTurn, this.#repeating), this.#receivedAt, this.#cause)
      await nextTurn()
    }
    this.#isPumping = false
    this.#receivedAt = undefined
    this.#cause = 'explicit'
    this.#repeating = false
    const announcing = this.#announcing
    this.#announcing = false
    if (announcing && !signal.aborted) this.#context.synced()
  }

  #emit(groups: Parameters<SourceContext['emit']>[0], receivedAt: number | undefined, cause: RemovalCause): void {
    if (groups.length > 0 && !this.#over.signal.aborted) this.#context.emit(groups, receivedAt, cause)
    this.#reportNotice()
  }

  #reportNotice(): void {
    const regions = this.#followed.some(one => one.resource === nodes && one.status?.failure !== undefined)
    const own = regions ? ['nodes cannot be read, so regions are not known: grant list and watch on nodes, or set nodes: false'] : []
    const refused = this.#known.index.notice()
    const notice = [...own, ...(refused === '' ? [] : [refused])].join('; ')
    if (notice === (this.#notice ?? '')) return
    this.#notice = notice
    this.#context.report({ ok: true, scope: noticeScope, notice })
  }

  /** Changed credentials are used by the next call; this makes those who wait call now, and those whose cluster moved begin anew. */
  async #followFiles(): Promise<void> {
    const { clock } = this.#context
    const { credentials } = this.#client
    const { signal } = this.#over
    let place = this.#place()
    let version = credentials.version()
    while (!signal.aborted) {
      await clock.sleep(fileCheckMs, signal)
      const now = credentials.version()
      if (now === version) continue
      version = now
      const found = this.#place()
      const moved = found !== undefined && place !== undefined && found !== place
      place = found ?? place
      this.#context.log.info({ moved }, 'the files of the cluster access changed')
      for (const { reflector } of this.#followed) reflector.nudge(moved)
    }
  }

  #place(): string | undefined {
    try {
      return this.#client.credentials.place()
    } catch {
      // The reflectors meet the same error and report it.
      return undefined
    }
  }
}

const noticeScope = '/notice'

function shelfKey({ plural }: KubeResource, namespace: string | undefined): string {
  return `${plural} ${namespace ?? ''}`
}

function isOptional({ resource }: Followed): boolean {
  return resource === nodes
}

/** Read, or refused for good; of what is no endpoint, one failed attempt is enough. */
function isSettled({ reflector: { status }, essential }: Followed): boolean {
  const kind = status.failure?.kind
  return status.synced || kind === 'forbidden' || kind === 'absent' || (!essential && kind !== undefined)
}

function codeOf({ failure }: ReflectorStatus): string {
  const kind = failure?.kind
  if (kind === 'unreachable' || kind === 'stalled') return 'kubernetes-unreachable'
  if (kind === 'unauthorized' || kind === 'forbidden' || kind === 'absent') return `kubernetes-${kind}`
  return 'kubernetes-error'
}

function textOf({ resource, namespace }: Followed, { failure }: ReflectorStatus): string {
  const text = failure?.message ?? ''
  if (failure?.kind !== 'forbidden') return text
  return `${text}: grant list and watch on ${resource.plural}${namespace === undefined ? ' in all namespaces, or name namespaces' : ` in ${namespace}`}`
}
