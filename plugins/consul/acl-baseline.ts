import type { Doubt } from './reading.ts'

/**
 * Whether answers of one kind may take things away (reference/discovery.md 2.2 rule 2). A token that never saw everything is no news: its
 * answers count for what it does see. One that suddenly sees less is doubted. Pure but for its own memory.
 */
export class AclBaseline {
  #fromStart: boolean | undefined
  #filtered = false

  /** The last answer was filtered by ACLs. */
  get filtered(): boolean {
    return this.#filtered
  }

  /** Takes the doubts of the next answer; gives whether it is authoritative. */
  judge(doubts: readonly Doubt[]): boolean {
    this.#filtered = doubts.includes('acl-filtered')
    this.#fromStart = this.#filtered && (this.#fromStart ?? true)
    return doubts.every(doubt => doubt === 'acl-filtered' && this.#fromStart === true)
  }
}
