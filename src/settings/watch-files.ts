import { readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/** An editor empties a file before it fills it, and tools replace several in a row: wait until the folder has been quiet for so many ms. */
const quietMs = 100

export interface FilesWatch {
  /** Takes the files as they are now for known: only what changes from here on is news. */
  settle(): void
  close(): void
}

/**
 * Calls back when the content of one of these files changed. Their folders are watched, not the files: editors and Kubernetes replace files
 * instead of writing them.
 * @param files absolute paths; a missing one is watched for too, its folder must exist
 */
export function watchFiles(files: readonly string[], onChange: () => void): FilesWatch {
  let contents = files.map(read)
  let timer: NodeJS.Timeout | undefined
  const settle = (): void => {
    contents = files.map(read)
  }
  const look = (): void => {
    const now = files.map(read)
    if (now.every((content, index) => content === contents[index])) return
    contents = now
    onChange()
  }
  const watchers = [...new Set(files.map(file => dirname(file)))].map(folder => {
    const watcher = watch(folder, () => {
      clearTimeout(timer)
      timer = setTimeout(look, quietMs)
    })
    // The folder itself went away: what was read last stays.
    watcher.on('error', () => watcher.close())
    return watcher
  })
  return {
    settle,
    close() {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    // Missing for the moment of a replacement; whoever reads it next says so if it stays so.
    return undefined
  }
}
