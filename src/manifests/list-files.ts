import type { Dirent, Stats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText } from '../model/errors.ts'
import { isManifestFile } from './manifest-file.ts'

/** What stands below a path. */
export interface FileListing {
  /** Manifest files, each with a mark that changes when its content does. */
  readonly files: ReadonlyMap<string, string>
  /** Folders with a mark that changes when another folder takes their place. */
  readonly folders: ReadonlyMap<string, string>
  /** Folders and files that could not be looked into, with the reason; what was known below them is not known to be gone. */
  readonly unreadable: ReadonlyMap<string, string>
  /** The path itself exists. */
  readonly exists: boolean
}

/**
 * Lists a folder's manifest files (*.yaml, *.yml, *.json) recursively, or the one file the path names. Symbolic links are followed, so a
 * mounted ConfigMap (files that link through `..data`) reads as plain files; hidden entries are left out; folders that form a loop are
 * entered once. What disappears meanwhile is not listed.
 * @param onFolder called before a folder is read, so that a watch set there misses nothing
 */
export async function listManifestFiles(
  path: string,
  onFolder: (folder: string, mark: string) => void = () => undefined,
): Promise<FileListing> {
  const files = new Map<string, string>()
  const folders = new Map<string, string>()
  const unreadable = new Map<string, string>()
  const entered = new Set<string>()
  const stats = await present(path, stat(path))
  if (stats !== undefined) await visit(path, stats, true)
  return { files, folders, unreadable, exists: stats !== undefined || unreadable.has(path) }

  async function visit(place: string, stats: Stats, named: boolean): Promise<void> {
    if (stats.isFile() && (named || isManifestFile(place))) files.set(place, contentMark(stats))
    if (stats.isDirectory()) await enter(place, `${stats.dev}:${stats.ino}`)
  }

  async function enter(folder: string, mark: string): Promise<void> {
    const real = await present(folder, realpath(folder))
    if (real === undefined || entered.has(real)) return
    entered.add(real)
    folders.set(folder, mark)
    onFolder(folder, mark)
    const entries: readonly Dirent[] = (await present(folder, readdir(folder, { withFileTypes: true }))) ?? []
    const names = entries.map(({ name }) => name).filter(name => !name.startsWith('.'))
    const places = names.sort().map(name => join(folder, name))
    // All at once: one after the other, a thousand files would take a thousand turns of the event loop.
    const all = await Promise.all(places.map(place => present(place, stat(place))))
    for (const [index, stats] of all.entries()) if (stats !== undefined) await visit(places[index] ?? '', stats, false)
  }

  /** Undefined when the place is gone (a later look will see what is there then) or may not be read (noted). */
  async function present<T>(place: string, pending: Promise<T>): Promise<T | undefined> {
    try {
      return await pending
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') unreadable.set(place, errorText(error))
      return undefined
    }
  }
}

function contentMark(stats: Stats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`
}
