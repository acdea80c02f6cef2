import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { errorText } from '../model/errors.ts'
import { held } from '../model/held.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { Remote } from '../state/thread.ts'
import type { WriteBehind } from '../state/write-behind.ts'
import type { KeptBatch, LastKnownGoodStore } from './last-known-good-store.ts'

export interface LastKnownGoodGiven {
  readonly store: Remote<LastKnownGoodStore>
  readonly writer: (write: (enough: () => boolean) => Promise<boolean>) => WriteBehind
  /** A group as it is in force now. */
  readonly group: (source: string, id: string) => EndpointGroup | undefined
  /** Wall clock ms of the last successful read of a source that was read completely; else undefined. */
  readonly confirmedAt: (source: string) => number | undefined
}

/** A source as it is known again: which settings it had counts, because another registry under its name is another source. */
export interface RecallOf {
  readonly name: string
  /** Equal for equal settings. */
  readonly settings: string
  readonly maxAgeMs: number
  readonly admitAddress: (address: string) => string
}

/** What was kept of a source, or why it is not used. */
export type Recall =
  | { readonly groups: readonly EndpointGroup[]; readonly confirmedAt: number; readonly refused: readonly string[] }
  | { readonly reason: string }

/**
 * The endpoints of every source as they were last in force (reference/discovery.md 5.8), kept off the hot path: `note` only marks, and another
 * thread writes. What is recalled after a restart is suspect until its source confirms it.
 */
export class LastKnownGood {
  readonly #given: LastKnownGoodGiven
  readonly #dirty = new Map<string, Set<string>>()
  readonly #settings = new Map<string, string>()
  readonly #forgotten = new Set<string>()
  readonly #writer: WriteBehind

  constructor(given: LastKnownGoodGiven) {
    this.#given = given
    this.#writer = given.writer(enough => this.#write(enough))
  }

  /** These groups of a source changed. */
  note(source: string, groups: readonly EndpointGroup[]): void {
    for (const { id } of groups) this.#mark(source, id)
    if (groups.length > 0) this.#writer.due()
  }

  /** Sources were read again without a change: notes how fresh what is kept is. */
  refresh(): void {
    this.#writer.due()
  }

  /** Only these sources there are: what is kept of others goes. Rejects with `state-unusable`. */
  async keepOnly(sources: readonly string[]): Promise<void> {
    await this.#given.store('keepOnly', sources)
  }

  /** The source is no more. */
  forget(source: string): void {
    this.#settings.delete(source)
    this.#dirty.delete(source)
    this.#forgotten.add(source)
    this.#writer.due()
  }

  /** What is kept of a source; undefined when there is nothing. Rejects with `state-unusable`. */
  async recall({ name, settings, maxAgeMs, admitAddress }: RecallOf, wallNow: number): Promise<Recall | undefined> {
    this.#settings.set(name, settings)
    this.#forgotten.delete(name)
    const kept = await this.#given.store('read', name)
    if (kept === undefined) return undefined
    const age = wallNow - kept.confirmedAt
    const when = new Date(kept.confirmedAt).toISOString()
    if (kept.settings !== settings) return { reason: `what was known at ${when} is not used: the settings of ${name} are others now` }
    if (age > maxAgeMs) return { reason: `what was known at ${when} is not used: that is longer ago than guards.maxStaleSeconds` }
    const refused: string[] = []
    const text = `${name} named it at ${when}, before the gateway started, and was not read since`
    const admit = (endpoint: Endpoint): Endpoint[] => {
      try {
        return admitAddress(endpoint.address) === endpoint.address ? [held(locked(endpoint), 'restart', text)] : []
      } catch (error) {
        refused.push(errorText(error))
        return []
      }
    }
    const groups = kept.groups.map(({ id, service, endpoints }) => ({
      id,
      service: service as ServiceKey,
      endpoints: (JSON.parse(endpoints) as readonly Endpoint[]).flatMap(admit),
    }))
    // A clock that was set back must not make it younger than it is.
    return { groups, confirmedAt: Math.min(kept.confirmedAt, wallNow), refused }
  }

  #mark(source: string, id: string): void {
    const dirty = this.#dirty.get(source)
    if (dirty === undefined) this.#dirty.set(source, new Set([id]))
    else dirty.add(id)
  }

  async #write(enough: () => boolean): Promise<boolean> {
    const batch = this.#collect(enough)
    try {
      await this.#given.store('write', batch)
    } catch (error) {
      for (const source of batch.forget) if (!this.#settings.has(source)) this.#forgotten.add(source)
      for (const { source, id } of [...batch.put, ...batch.drop]) if (!this.#forgotten.has(source)) this.#mark(source, id)
      throw error
    }
    return this.#dirty.size > 0
  }

  #collect(enough: () => boolean): KeptBatch {
    const forget = [...this.#forgotten]
    this.#forgotten.clear()
    const confirm = [...this.#settings].flatMap(([source, settings]) => {
      const at = this.#given.confirmedAt(source)
      return at === undefined ? [] : [{ source, settings, at }]
    })
    const put: KeptBatch['put'][number][] = []
    const drop: KeptBatch['drop'][number][] = []
    for (const [source, dirty] of this.#dirty) {
      for (const id of dirty) {
        if (put.length + drop.length > 0 && enough()) return { forget, confirm, put, drop }
        dirty.delete(id)
        const group = this.#given.group(source, id)
        if (group === undefined) drop.push({ source, id })
        else put.push({ source, id, service: group.service, endpoints: JSON.stringify(group.endpoints) })
      }
      this.#dirty.delete(source)
    }
    return { forget, confirm, put, drop }
  }
}

/** Secrets are not kept: until its source is read, nobody can speak to an endpoint in a mesh. */
function locked(endpoint: Endpoint): Endpoint {
  return endpoint.mesh === undefined ? endpoint : { ...endpoint, mesh: { locked: 'its source was not read since the gateway started' } }
}
