import { blamedNames } from './blame.ts'
import type { Resource } from './resource.ts'

/** So many responses at most are spent on finding who is at fault. */
const trialsPerIncident = 64

/**
 * Resources that one client refused, in the version it refused: they are not sent again until they change (xds.md C10, C13). When a NACK
 * does not tell which of several is at fault, all are set aside and then tried again in halves, so that in the end only the culprits
 * stay.
 */
export class Quarantine {
  /** Name → versions: that which is served, and a last good one of other clients that stood in for it. */
  readonly #refused = new Map<string, Set<string>>()
  /** Groups to try again, next first. */
  readonly #trials: string[][] = []
  #budget = trialsPerIncident

  get size(): number {
    return this.#refused.size
  }

  /** Something is left to try, or was tried last. */
  get isSearching(): boolean {
    return this.#trials.length > 0 || this.#budget < trialsPerIncident
  }

  /** Names of what is set aside. */
  get names(): Iterable<string> {
    return this.#refused.keys()
  }

  refuses(resource: Resource): boolean {
    return this.#refused.get(resource.name)?.has(resource.version) === true
  }

  /**
   * Sets aside whoever the text of a NACK names among `suspects`, or else all of them; gives those set aside. `complete`: nobody else can
   * be at fault.
   */
  blame(suspects: readonly Resource[], text: string, complete: boolean): readonly Resource[] {
    const names = new Set(
      blamedNames(
        text,
        suspects.map(resource => resource.name),
      ),
    )
    const blamed = names.size > 0 ? suspects.filter(resource => names.has(resource.name)) : suspects
    for (const { name, version } of blamed) this.#refused.set(name, new Set(this.#refused.get(name)).add(version))
    if (names.size === 0 && (suspects.length > 1 || !complete)) {
      const all = suspects.map(resource => resource.name)
      const half = Math.ceil(all.length / 2)
      this.#trials.unshift(all.slice(0, half), all.slice(half))
    }
    return blamed
  }

  /** The next names to try again; they are no longer refused. Undefined when there is nothing to try. */
  takeTrial(): readonly string[] | undefined {
    for (let group = this.#trials.shift(); group !== undefined; group = this.#trials.shift()) {
      if (this.#budget === 0) {
        this.#trials.length = 0
        break
      }
      const names = group.filter(name => this.#refused.delete(name))
      if (names.length === 0) continue
      this.#budget--
      return names
    }
    this.#budget = trialsPerIncident
    return undefined
  }

  /** Forgets what is not among the names that still exist. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#refused.keys()) if (!names.has(name)) this.#refused.delete(name)
  }

  /** The client took another version, or no longer watches the name. */
  release(name: string): void {
    this.#refused.delete(name)
  }
}
