import type { ManifestContext } from '../../../src/manifests/contract.ts'

/** What cannot be read of a cluster, shown among the objects while it lasts; what several watches suffer from is said once. */
export class ReadProblems {
  readonly #at: string
  readonly #context: Pick<ManifestContext, 'emit' | 'log'>
  readonly #texts = new Map<string, string>()

  /** @param at the cluster's name */
  constructor(at: string, context: Pick<ManifestContext, 'emit' | 'log'>) {
    this.#at = at
    this.#context = context
  }

  /** @param place which watch; undefined text: it is well. */
  set(place: string, text: string | undefined): void {
    const before = this.#texts.get(place)
    if (before === text) return
    if (text === undefined) this.#texts.delete(place)
    else this.#texts.set(place, text)
    const said = new Set(this.#texts.values())
    const id = (one: string): string => `!${one}`
    if (before !== undefined && !said.has(before)) this.#context.emit([{ id: id(before), objects: [], problems: [] }])
    if (text === undefined || [...this.#texts.values()].filter(one => one === text).length > 1) return
    this.#context.log.warn({ cluster: this.#at }, `manifests: ${text}`)
    this.#context.emit([{ id: id(text), objects: [], problems: [{ code: 'manifest-unreadable', at: this.#at, text }] }])
  }
}
