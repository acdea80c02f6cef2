import type { RouteTable } from '../ir/route-table.ts'
import type { ObjectsReader } from '../manifests/objects-reader.ts'
import type { ManifestStore } from '../manifests/store.ts'
import type { ObjectStatus, Rejection } from '../manifests/status.ts'
import { refText } from '../model/object-ref.ts'
import { blamedObjects } from '../reconcile/blamed-objects.ts'
import type { Timers } from '../reconcile/timers.ts'
import type { ProxiesReader, Refusal } from '../xds/status.ts'

export interface RejectionsGiven {
  readonly store: ObjectsReader & Pick<ManifestStore, 'onSettled'>
  readonly proxies: Pick<ProxiesReader, 'refusals'>
  readonly routeTable: () => RouteTable
  readonly timers: Pick<Timers, 'after'>
}

/** How often is looked whether a refusal is over. */
const lookEveryMs = 1000

/**
 * The objects as the store has them, each with what Envoys refuse of it. What each
 * refusal is about is found out once.
 */
export class Rejections implements ObjectsReader {
  readonly #given: RejectionsGiven
  readonly #listeners = new Set<() => void>()
  #known: ReadonlyMap<string, readonly Rejection[]> = new Map()
  #key = ''
  #cancel: (() => void) | undefined

  constructor(given: RejectionsGiven) {
    this.#given = given
    given.store.onSettled(() => this.#tell())
  }

  /** Calls back when the store has new statuses, and when refusals began, changed or ended; returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** An Envoy refused something: from now on is looked until nothing is refused any more. */
  nacked(): void {
    this.#cancel ??= this.#given.timers.after(0, () => this.#look())
  }

  stop(): void {
    this.#cancel?.()
    this.#listeners.clear()
  }

  statuses(): readonly ObjectStatus[] {
    const statuses = this.#given.store.statuses()
    const rejections = this.#current()
    if (rejections.size === 0) return statuses
    return statuses.map(status => {
      const found = status.state === 'ignored' ? undefined : rejections.get(refText(status.ref))
      return found === undefined ? status : { ...status, rejections: found }
    })
  }

  problems: ObjectsReader['problems'] = () => this.#given.store.problems()

  warnings: ObjectsReader['warnings'] = () => this.#given.store.warnings()

  #look(): void {
    const before = this.#key
    const rejections = this.#current()
    this.#cancel = rejections.size === 0 ? undefined : this.#given.timers.after(lookEveryMs, () => this.#look())
    if (this.#key !== before) this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  #current(): ReadonlyMap<string, readonly Rejection[]> {
    const refusals = this.#given.proxies.refusals()
    const key = refusals
      .map(({ nodeId, refused, text }) => `${nodeId} ${refused.type} ${refused.name} ${refused.version} ${text}`)
      .join('\n')
    if (key !== this.#key) {
      this.#key = key
      this.#known = byObject(refusals, this.#given.routeTable())
    }
    return this.#known
  }
}

function byObject(refusals: readonly Refusal[], table: RouteTable): ReadonlyMap<string, readonly Rejection[]> {
  const found = new Map<string, Rejection[]>()
  for (const refusal of refusals) {
    const { nodeId, refused, text } = refusal
    const rejection: Rejection = { proxy: nodeId, resource: `${refused.type} ${refused.name}`, text }
    for (const ref of blamedObjects(refusal, table)) {
      const list = found.get(refText(ref))
      if (list === undefined) found.set(refText(ref), [rejection])
      else list.push(rejection)
    }
  }
  return found
}
