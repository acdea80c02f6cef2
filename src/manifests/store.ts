import { refText } from '../model/object-ref.ts'
import { type CheckResult, checkManifest, placeFinding } from './check.ts'
import { type CheckedObject, type Finding, objectId } from './checked-object.ts'
import type { ManifestContext, ManifestGroup, ManifestProblem } from './contract.ts'
import type { Manifest } from './object.ts'
import type { ObjectsReader } from './objects-reader.ts'
import type { Steps } from '../model/steps.ts'
import type { FieldProblem, ObjectStatus } from './status.ts'

/** An object for compile: as it stands (if it passed its own checks) and as it last served. */
export interface StoredObject {
  readonly id: string
  /** As it stands, usable or not. */
  readonly manifest: Manifest
  readonly current: CheckedObject | undefined
  readonly lastGood: CheckedObject | undefined
}

/** What compile decided about an object; compile's `Verdict`. */
export interface StoredVerdict {
  readonly problems: readonly Finding[]
  readonly notices: readonly string[]
  readonly served: 'current' | 'lastGood' | 'none'
  readonly ignored?: string
  /** What of it reaches no Envoy, and why, though nothing is wrong with the object itself. */
  readonly unserved?: string
}

/** A run of one manifest source: calls after the next run began are dropped (fencing). */
export type ManifestRun = Pick<ManifestContext, 'emit' | 'synced'>

/** An object, checked when somebody first asks for the result. */
class Entry {
  readonly id: string
  readonly manifest: Manifest
  readonly #ambassadorIds: readonly string[]
  #checked: CheckResult | undefined

  constructor(manifest: Manifest, ambassadorIds: readonly string[]) {
    this.id = objectId(manifest)
    this.manifest = manifest
    this.#ambassadorIds = ambassadorIds
  }

  check(): CheckResult {
    this.#checked ??= checkManifest(this.manifest, this.#ambassadorIds)
    return this.#checked
  }
}

interface Group {
  readonly entries: readonly Entry[]
  readonly problems: readonly ManifestProblem[]
  /** Number of the run that last sent it. */
  run: number
}

/**
 * The single owner of configuration objects. Keeps the groups of every manifest source apart, checks each object once when it arrives,
 * and remembers per object the last version that compile served. Change, `objects()`, compile, `settle()` is one round.
 */
export class ManifestStore implements ObjectsReader {
  readonly #ambassadorIds: readonly string[]
  readonly #sources = new Map<string, { run: number; readonly groups: Map<string, Group> }>()
  readonly #lastGood = new Map<string, CheckedObject>()
  /** Until something changes. */
  #held: ReadonlyMap<string, Entry> | undefined
  readonly #listeners = new Set<() => void>()
  /** What compile said, and of which versions: one that was read since has no verdict yet. */
  #judged: { readonly objects: readonly StoredObject[]; readonly verdicts: ReadonlyMap<string, StoredVerdict> } = {
    objects: [],
    verdicts: new Map(),
  }
  #warnings: readonly string[] = []
  readonly #settled = new Set<() => void>()

  /** @param ambassadorIds names under which this gateway takes objects (`ambassadorId` of the settings) */
  constructor(ambassadorIds: readonly string[]) {
    this.#ambassadorIds = ambassadorIds
  }

  /** Begins a run of a source; its former groups stay until they are replaced, or pruned when the run has synced. */
  begin(source: string): ManifestRun {
    const state = this.#sources.get(source) ?? { run: 0, groups: new Map<string, Group>() }
    this.#sources.set(source, state)
    const run = ++state.run
    return {
      emit: groups => {
        if (state.run !== run) return
        for (const group of groups) this.#replace(state.groups, group, run)
        this.#changed()
      },
      synced: () => {
        if (state.run !== run) return
        const stale = [...state.groups].filter(([, group]) => group.run !== run)
        for (const [id] of stale) state.groups.delete(id)
        if (stale.length > 0) this.#changed()
      },
    }
  }

  /** Forgets a source and all its objects. */
  remove(source: string): void {
    const state = this.#sources.get(source)
    if (state === undefined) return
    state.run++
    this.#sources.delete(source)
    this.#changed()
  }

  /**
   * A copy that goes its own way, for what-if: the first of these objects of an id stands in the place of the one that counts now, or beside
   * all others; further ones of that id are duplicates. `without`: ids that it lacks.
   */
  edited(objects: readonly Manifest[], without: ReadonlySet<string> = new Set()): ManifestStore {
    const copy = new ManifestStore(this.#ambassadorIds)
    const checked = objects.map(manifest => new Entry(manifest, this.#ambassadorIds))
    const holders = this.#holders()
    const replaced = new Map<Entry, Entry>()
    const added: Entry[] = []
    for (const entry of checked) {
      const old = holders.get(entry.id)
      if (old === undefined || replaced.has(old)) added.push(entry)
      else replaced.set(old, entry)
    }
    for (const [source, { groups }] of this.#sources) {
      const own = [...groups].map(([id, group]) => {
        const entries = group.entries.map(entry => replaced.get(entry) ?? entry).filter(({ id }) => !without.has(id))
        return [id, { ...group, entries }] as const
      })
      copy.#sources.set(source, { run: 0, groups: new Map(own) })
    }
    // Behind all others: what is in force counts before a duplicate of it.
    if (added.length > 0) copy.#sources.set('\uffff', { run: 0, groups: new Map([['', { entries: added, problems: [], run: 0 }]]) })
    for (const [id, object] of this.#lastGood) copy.#lastGood.set(id, object)
    return copy
  }

  /** Calls back after every change of objects; returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Checks the objects that were not checked yet, which the first question about them would do at once. */
  *checking(): Steps<void> {
    for (const entry of this.#entries()) {
      entry.check()
      yield
    }
  }

  /** The objects of this gateway's kinds, one per id, in no particular order. */
  objects(): readonly StoredObject[] {
    return [...this.#holders()].map(([id, entry]) => ({
      id,
      manifest: entry.manifest,
      current: entry.check().object,
      lastGood: this.#lastGood.get(id),
    }))
  }

  /** Some Host is meant for this gateway, be it refused. */
  get hostsDeclared(): boolean {
    return [...this.#holders().values()].some(({ manifest }) => manifest.kind === 'Host')
  }

  /** Namespaces that objects stand in. */
  get namespaces(): ReadonlySet<string> {
    return new Set([...this.#holders().values()].map(({ manifest }) => manifest.namespace))
  }

  /** Takes compile's decisions about what `objects()` gave: they show in the statuses, and what served is the new last good version. */
  settle(
    objects: readonly StoredObject[],
    result: { readonly verdicts: ReadonlyMap<string, StoredVerdict>; readonly warnings: readonly string[] },
  ): void {
    const holders = this.#holders()
    const gone = [...this.#lastGood.keys()].filter(id => !holders.has(id))
    // What was there when the compilation began may be on its way back.
    const judged = new Set(gone.length === 0 ? [] : objects.map(({ id }) => id))
    for (const id of gone) if (!judged.has(id)) this.#lastGood.delete(id)
    for (const { id, current } of objects)
      if (current !== undefined && result.verdicts.get(id)?.served === 'current') this.#lastGood.set(id, current)
    this.#judged = { objects, verdicts: result.verdicts }
    this.#warnings = result.warnings
    for (const listener of this.#settled) listener()
  }

  /** Calls back after every `settle`; returns the unsubscribe. */
  onSettled(listener: () => void): () => void {
    this.#settled.add(listener)
    return () => this.#settled.delete(listener)
  }

  statuses(): readonly ObjectStatus[] {
    const holders = this.#holders()
    const judged = new Map(this.#judged.objects.map(({ id, manifest }) => [manifest, this.#judged.verdicts.get(id)]))
    return this.#entries()
      .map(entry => this.#status(entry, holders.get(entry.id), judged.get(entry.manifest)))
      .sort((a, b) => compare(sortKey(a), sortKey(b)))
  }

  problems(): readonly ManifestProblem[] {
    return this.#groups().flatMap(([, group]) => group.problems)
  }

  warnings(): readonly string[] {
    return this.#warnings
  }

  #status(entry: Entry, holder: Entry | undefined, verdict: StoredVerdict | undefined): ObjectStatus {
    const { id, manifest } = entry
    const { status } = entry.check()
    if (status.state === 'ignored') return { ...status, lastGood: false }
    if (holder !== undefined && holder.manifest !== manifest)
      return { ...status, ...duplicateOf(holder.manifest, manifest), lastGood: false }
    if (verdict?.ignored !== undefined)
      return { ...status, state: 'ignored', notices: [...status.notices, verdict.ignored], lastGood: false }
    const problems: readonly FieldProblem[] = [
      ...status.problems,
      ...(verdict?.problems ?? []).map(finding => placeFinding(manifest, finding)),
    ]
    return {
      ...status,
      state: problems.length > 0 ? 'refused' : 'accepted',
      problems,
      notices: [...status.notices, ...(verdict?.notices ?? [])],
      lastGood: problems.length > 0 && (verdict === undefined ? this.#lastGood.has(id) : verdict.served === 'lastGood'),
      ...(verdict?.unserved === undefined || problems.length > 0 ? {} : { unserved: verdict.unserved }),
      ...(verdict === undefined ? { pending: true } : {}),
    }
  }

  /** A group that could be read only in part keeps those of its former objects that the rest does not name. */
  #replace(groups: Map<string, Group>, given: ManifestGroup, run: number): void {
    if (given.objects.length === 0 && given.problems.length === 0 && given.keep !== true) {
      groups.delete(given.id)
      return
    }
    const before = groups.get(given.id)?.entries ?? []
    const known = new Map(before.map(entry => [entry.manifest, entry]))
    const entries = given.objects.map(manifest => known.get(manifest) ?? new Entry(manifest, this.#ambassadorIds))
    const named = new Set(entries.map(({ id }) => id))
    const kept = given.keep === true ? before.filter(({ id }) => !named.has(id)) : []
    groups.set(given.id, { entries: [...entries, ...kept], problems: given.problems, run })
  }

  /** All groups, in the order of source and group id: the order that decides between duplicates. */
  #groups(): readonly (readonly [string, Group])[] {
    return [...this.#sources].sort(([a], [b]) => compare(a, b)).flatMap(([, state]) => [...state.groups].sort(([a], [b]) => compare(a, b)))
  }

  #entries(): readonly Entry[] {
    return this.#groups().flatMap(([, group]) => group.entries)
  }

  /** The entry that stands for each id: the first that is ours and of a kind we serve. */
  #holders(): ReadonlyMap<string, Entry> {
    if (this.#held !== undefined) return this.#held
    const holders = new Map<string, Entry>()
    for (const entry of this.#entries())
      if (entry.check().status.state !== 'ignored' && !holders.has(entry.id)) holders.set(entry.id, entry)
    this.#held = holders
    return holders
  }

  #changed(): void {
    this.#held = undefined
    for (const listener of this.#listeners) listener()
  }
}

function duplicateOf(first: Manifest, second: Manifest): Pick<ObjectStatus, 'state' | 'problems'> {
  const text = `${refText(second.ref)} already stands at ${first.ref.at}; that one counts, remove one of the two`
  return { state: 'refused', problems: [{ path: 'metadata.name', text, at: second.locate(['metadata', 'name']) }] }
}

function sortKey(status: ObjectStatus): string {
  return `${status.ref.kind}\0${status.ref.namespace}\0${status.ref.name}\0${status.ref.at}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
