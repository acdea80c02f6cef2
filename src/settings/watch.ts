import { IsthmusError } from '../model/errors.ts'
import type { Settings } from './settings.ts'
import { watchFiles } from './watch-files.ts'

export interface SettingsWatch {
  /** Reads the settings now (SIGHUP), changed or not. */
  reload(): void
  close(): void
}

/**
 * Follows a settings file.
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
  const apply = (): void => {
    try {
      onChange(load())
    } catch (error) {
      if (!(error instanceof IsthmusError)) throw error
      onInvalid(error)
    }
  }
  const files = watchFiles([file], apply)
  return {
    reload() {
      files.settle()
      apply()
    },
    close: () => files.close(),
  }
}
