import type { Freshness } from './contract.ts'
import type { SourceState } from './status.ts'

/** What a source reported about itself, folded into one state. Pure but for its own memory; time comes with every call. */
export class FreshnessLog {
  readonly #errors = new Map<string, { code: string; text: string }>()
  #notice = ''
  #errorCount = 0
  #lastSuccess: { mono: number; wall: number } | undefined

  /** Gives whether the source as a whole was heard of: while that fails, the success of a part makes nothing else fresher. */
  report(freshness: Freshness, now: { mono: number; wall: number }): boolean {
    const { scope = '' } = freshness
    if (!freshness.ok) {
      this.#errorCount++
      this.#errors.set(scope, { code: freshness.code, text: freshness.error })
      return false
    }
    const isFresh = scope === '' || !this.#errors.has('')
    if (isFresh) this.#lastSuccess = now
    if (freshness.notice !== undefined) this.#notice = freshness.notice
    if (freshness.scope === undefined) this.#errors.clear()
    else this.#errors.delete(freshness.scope)
    if (this.#errors.size === 0) this.#errorCount = 0
    return isFresh
  }

  /** The source as a whole is not read: its data only ages. */
  get isFailing(): boolean {
    return this.#errors.has('')
  }

  /** Nothing was read for longer than this, and not because there was nothing to say. */
  isExpired(monoNow: number, maxStaleMs: number): boolean {
    return this.isFailing && this.#lastSuccess !== undefined && monoNow - this.#lastSuccess.mono > maxStaleMs
  }

  /** `synced`: whether the source was read completely since the start. `maxQuietMs`: see SourceInstance.maxQuietSeconds. */
  state(synced: boolean, monoNow: number, maxQuietMs: number, maxStaleMs: number): SourceState {
    if (!synced) return 'syncing'
    if (this.isExpired(monoNow, maxStaleMs)) return 'expired'
    // An error of one service leaves the rest live.
    if (this.isFailing) return 'stale'
    return this.#lastSuccess !== undefined && monoNow - this.#lastSuccess.mono > maxQuietMs ? 'lagging' : 'live'
  }

  get lastSuccess(): { mono: number; wall: number } | undefined {
    return this.#lastSuccess
  }

  get notices(): readonly string[] {
    return this.#notice === '' ? [] : [this.#notice]
  }

  get error(): { code: string; text: string; count: number } | undefined {
    const first = this.#errors.get('') ?? this.#errors.values().next().value
    if (first === undefined) return undefined
    const more = this.#errors.size > 1 ? ` (and ${String(this.#errors.size - 1)} more)` : ''
    return { code: first.code, text: first.text + more, count: this.#errorCount }
  }
}
