import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { SourceLog } from '../../src/discovery/contract.ts'
import { errorText } from '../../src/model/errors.ts'
import { watchedPlaces } from './watched-places.ts'

interface Watched {
  readonly watcher: FSWatcher
  names: ReadonlySet<string>
  /** Device and inode: another folder of the same name needs another watch. */
  readonly identity: string
}

/**
 * Calls back when a path may lead to another file or content. It watches folders, not the file: a watch on a file is lost when another one
 * is renamed over it.
 */
export class FolderWatch {
  readonly #path: string
  readonly #onChange: () => void
  readonly #log: SourceLog
  readonly #watched = new Map<string, Watched>()
  #failure = ''

  constructor(path: string, onChange: () => void, log: SourceLog) {
    this.#path = path
    this.#onChange = onChange
    this.#log = log
  }

  /** Follows the links to the file anew; true when a folder is watched that was not. Call it after each change and now and then. */
  async refresh(): Promise<boolean> {
    const places = await watchedPlaces(this.#path)
    for (const folder of this.#watched.keys()) if (!places.has(folder)) this.#drop(folder)
    let added = false
    for (const [folder, names] of places) {
      const identity = await identityOf(folder)
      const existing = this.#watched.get(folder)
      if (existing !== undefined && existing.identity === identity) existing.names = names
      else {
        this.#drop(folder)
        if (identity !== undefined) added = this.#watch(folder, names, identity) || added
      }
    }
    return added
  }

  close(): void {
    for (const folder of this.#watched.keys()) this.#drop(folder)
  }

  #watch(folder: string, names: ReadonlySet<string>, identity: string): boolean {
    try {
      const watcher = watch(folder)
      const watched: Watched = { watcher, names, identity }
      watcher.on('change', (_event, name) => {
        if (typeof name !== 'string' || watched.names.has(name)) this.#onChange()
      })
      watcher.on('error', error => {
        this.#failed(folder, error)
        this.#drop(folder)
      })
      this.#watched.set(folder, watched)
      return true
    } catch (error) {
      this.#failed(folder, error)
      return false
    }
  }

  #failed(folder: string, error: unknown): void {
    const text = errorText(error)
    if (text === this.#failure) return
    this.#failure = text
    this.#log.warn({ folder, error: text }, 'folder cannot be watched, the file is only looked at now and then')
  }

  #drop(folder: string): void {
    this.#watched.get(folder)?.watcher.close()
    this.#watched.delete(folder)
  }
}

async function identityOf(folder: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(folder, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    // A folder that is not there has nothing to watch; reading the file reports it.
    return undefined
  }
}
