import { type FSWatcher, existsSync, watch } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type Clock, type SourceLog } from '../discovery/contract.ts'
import { errorText } from '../model/errors.ts'

/**
 * Watches folders one by one (the operating system's recursive watches lose replaced folders) and tells that something happened; what
 * happened is found by looking. Also watches the nearest existing ancestor of the root, so that a root that is deleted, created or
 * swapped is noticed.
 */
export class FolderWatch {
  readonly #watchers = new Map<string, { readonly mark: string; readonly watcher: FSWatcher }>()
  readonly #root: string
  readonly #log: SourceLog
  #events = 0
  #wake: (() => void) | undefined

  constructor(root: string, log: SourceLog) {
    this.#root = resolve(root)
    this.#log = log
  }

  /** Begins to watch a folder, anew if another folder has taken its place. */
  add(folder: string, mark: string): void {
    this.#open(folder, mark, () => true)
  }

  /** Watches the root's nearest existing ancestor for the next part of the path. */
  addAncestor(): void {
    let child = this.#root
    while (dirname(child) !== child && !existsSync(dirname(child))) child = dirname(child)
    const name = basename(child)
    this.#open(dirname(child), name, changed => changed === null || changed === name, '#ancestor')
  }

  /** Stops watching folders that are no longer there. */
  keepOnly(folders: ReadonlyMap<string, string>): void {
    for (const [key, { watcher }] of this.#watchers) {
      if (key === '#ancestor' || folders.has(key)) continue
      watcher.close()
      this.#watchers.delete(key)
    }
  }

  /**
   * Waits for an event, at most `limitMs`, then until `quietMs` passed without another, at most `capMs`: an editor's several writes and a
   * ConfigMap's swap are one change.
   */
  async settled(clock: Clock, signal: AbortSignal, times: { limitMs: number; quietMs: number; capMs: number }): Promise<void> {
    if (this.#events === 0) {
      const woken = new AbortController()
      this.#wake = () => woken.abort()
      signal.addEventListener('abort', this.#wake, { once: true })
      await clock.sleep(times.limitMs, woken.signal)
      signal.removeEventListener('abort', this.#wake)
      this.#wake = undefined
    }
    for (let waited = 0; this.#events > 0 && waited < times.capMs && !signal.aborted; waited += times.quietMs) {
      this.#events = 0
      await clock.sleep(Math.min(times.quietMs, times.capMs - waited), signal)
    }
    this.#events = 0
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #open(folder: string, mark: string, concerns: (name: string | null) => boolean, key = folder): void {
    const former = this.#watchers.get(key)
    if (former?.mark === mark) return
    former?.watcher.close()
    this.#watchers.delete(key)
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (concerns(name)) this.#ring()
      })
      watcher.on('error', error => {
        this.#log.debug({ folder, error: errorText(error) }, 'a folder can no longer be watched; looking again')
        watcher.close()
        this.#watchers.delete(key)
        this.#ring()
      })
      this.#watchers.set(key, { mark, watcher })
    } catch (error) {
      // Gone in between, or no more watches on this machine: the regular look sees later changes.
      this.#log.warn({ folder, error: errorText(error) }, 'folder cannot be watched; its changes are seen only at the next regular look')
    }
  }

  #ring(): void {
    this.#events++
    this.#wake?.()
  }
}
