import { readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { IsthmusError } from '../model/errors.ts'
import type { Settings } from './settings.ts'

/** An editor empties a file before it fills it, and an empty file is valid: wait until the folder has been quiet for so many ms. */
const quietMs = 100

export interface SettingsWatch {
  /** Reads the settings now (SIGHUP), changed or not. */
  reload(): void
  close(): void
}

/**
 * Follows a settings file. The folder is watched, not the file: editors and Kubernetes replace files instead of writing them.
 * @param file absolute path
 * @param load reads and checks the settings, as loadSettings does; nothing happens with settings that it refuses
 * @param onChange gets settings that are valid, when the file's content has changed or on `reload`
 * @param onInvalid gets the error otherwise: the running settings stay
 */
export function watchSettings(
  file: string,
  load: () => Settings,
  onChange: (settings: Settings) => void,
  onInvalid: (error: IsthmusError) => void,
): SettingsWatch {
  let content = read(file)
  let timer: NodeJS.Timeout | undefined
  const reload = () => {
    content = read(file)
    try {
      onChange(load())
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw error
      onInvalid(error)
    }
  }
  const watcher = watch(dirname(file), () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (read(file) !== content) reload()
    }, quietMs)
  })
  // The folder itself went away: SIGHUP still works.
  watcher.on('error', () => watcher.close())
  return {
    reload,
    close() {
      clearTimeout(timer)
      watcher.close()
    },
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Missing for the moment of a replacement; `load` reports it if it stays so.
    return undefined
  }
}
