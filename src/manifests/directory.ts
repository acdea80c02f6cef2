import type { ManifestContext, ManifestGroup } from './contract.ts'
import { FolderWatch } from './folder-watch.ts'
import { type FileListing, listManifestFiles } from './list-files.ts'
import { readManifestFile } from './manifest-file.ts'
import { ParseMemo, parsing } from './parse.ts'
import { inSlices } from '../model/in-slices.ts'

/** Looks again without any event, for file systems that give none (network mounts) and links that are swapped further up. */
const regularLookMs = 10_000
/** Quiet time after an event, and its cap: a change of structure may take 50 ms. */
const quiet = { limitMs: regularLookMs, quietMs: 20, capMs: 40 }

/** The path of the directory or file, and the namespace of objects without one. */
export interface DirectorySettings {
  readonly path: string
  readonly namespace: string
}

/** What it needs of the context. */
type DirectoryContext = Pick<ManifestContext, 'signal' | 'emit' | 'synced' | 'log' | 'clock'>

/**
 * A folder of manifests (or one file), watched. A group is a file. A file that disappears takes its objects with it; one that cannot be
 * read, or whose folder cannot, keeps them; and so does everything when the path itself is missing (an unmounted volume is no deletion).
 */
export function directorySource(settings: DirectorySettings): { run(context: DirectoryContext): Promise<void> } {
  let restarted = false
  return {
    async run(context: DirectoryContext) {
      const watch = new FolderWatch(settings.path, context.log)
      const over = () => context.signal.aborted
      try {
        const reader = new DirectoryReader(settings, context)
        let synced = false
        while (!over()) {
          watch.addAncestor()
          const listing = await listManifestFiles(settings.path, (folder, mark) => watch.add(folder, mark))
          watch.keepOnly(listing.folders)
          const groups = await reader.changed(listing)
          if (over()) return
          if (groups.length > 0) context.emit(groups)
          // A restarted run that finds no path must not prune what the former run read.
          if (!synced && (listing.exists || !restarted)) {
            synced = true
            context.synced()
          }
          await watch.settled(context.clock, context.signal, quiet)
        }
      } finally {
        restarted = true
        watch.close()
      }
    },
  }
}

/** Remembers what was read, and gives the groups that differ. */
class DirectoryReader {
  readonly #settings: DirectorySettings
  readonly #context: DirectoryContext
  readonly #marks = new Map<string, string>()
  readonly #memos = new Map<string, ParseMemo>()
  readonly #turns: Parameters<typeof inSlices>[1]
  #complaints: ReadonlySet<string> = new Set()

  constructor(settings: DirectorySettings, context: DirectoryContext) {
    this.#settings = settings
    this.#context = context
    const { clock } = context
    this.#turns = { now: () => clock.now(), after: (ms, task) => void clock.sleep(ms).then(task) }
  }

  async changed(listing: FileListing): Promise<readonly ManifestGroup[]> {
    const groups = this.#complain(listing)
    if (!listing.exists) return groups
    for (const [file, mark] of listing.files) {
      if (this.#marks.get(file) === mark) continue
      const memo = this.#memos.get(file) ?? new ParseMemo()
      const group = await readManifestFile(file, this.#settings.namespace, (text, given) =>
        inSlices(parsing(text, given, memo), this.#turns),
      )
      if (group === undefined) continue
      this.#marks.set(file, mark)
      this.#memos.set(file, memo)
      groups.push(group)
      for (const problem of group.problems) this.#context.log.warn({ at: problem.at }, `manifest: ${problem.text}`)
    }
    for (const file of this.#marks.keys()) {
      if (listing.files.has(file) || isBelow(file, listing.unreadable.keys())) continue
      this.#marks.delete(file)
      this.#memos.delete(file)
      groups.push({ id: file, objects: [], problems: [] })
    }
    return groups
  }

  /** Groups that hold nothing but the problem with a path; they vanish with it. */
  #complain(listing: FileListing): ManifestGroup[] {
    const reasons = new Map(
      [...listing.unreadable].map(([place, reason]) => [place, `cannot be read: ${reason}; what was read before is served`]),
    )
    if (!listing.exists)
      reasons.set(this.#settings.path, 'does not exist; what was read before is served. Create it, or correct manifests[].path')
    const groups: ManifestGroup[] = []
    for (const [place, text] of reasons) {
      if (this.#complaints.has(place)) continue
      this.#context.log.warn({ path: place }, `manifests: ${text}`)
      groups.push({ id: `${place}#path`, objects: [], problems: [{ code: 'manifest-unreadable', at: place, text }] })
    }
    for (const place of this.#complaints) if (!reasons.has(place)) groups.push({ id: `${place}#path`, objects: [], problems: [] })
    this.#complaints = new Set(reasons.keys())
    return groups
  }
}

function isBelow(file: string, places: Iterable<string>): boolean {
  for (const place of places) if (file === place || file.startsWith(`${place}/`)) return true
  return false
}
