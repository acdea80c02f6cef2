import { join } from 'node:path'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import { errorText } from '../model/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { Database } from '../state/database.ts'
import { WriteBehind } from '../state/write-behind.ts'

/** What a part of the gateway keeps. */
export interface StatePart {
  /** Name of its file, without `.db`. */
  readonly name: string
  /** See DatabaseGiven. */
  readonly content: string
  readonly loss: string
  readonly formats: readonly string[]
}

/** The embedded databases of one gateway, one file per part, under `state.path`. */
export interface State {
  database(part: StatePart): Database
  /** Writes a part's changes later; failures are logged and shown. */
  writeBehind(part: StatePart, write: (enough: () => boolean) => boolean): WriteBehind
  /** Sentences about what is lost or cannot be written at present. */
  readonly problems: readonly string[]
  /** Writes what is due and closes everything. */
  close(): void
}

/** Nothing is opened before it is used. With `state.path: ":memory:"` everything works and nothing outlives the process. */
export function openState({ state }: Pick<Settings, 'state'>, clock: Clock, log: SourceLog): State {
  const databases: Database[] = []
  const writers: WriteBehind[] = []
  const problems = new Map<string, string>()
  return {
    database({ name, ...part }) {
      const path = state.path === ':memory:' ? state.path : join(state.path, `${name}.db`)
      const onDamage = (text: string): void => {
        log.error({ code: 'state-damaged', part: name }, text)
        problems.set(`${name} damage`, text)
      }
      const database = new Database({ ...part, path, wall: () => clock.wall(), onDamage })
      databases.push(database)
      return database
    },
    writeBehind({ name, content }, write) {
      const onFailure = (error: unknown): void => {
        if (error === undefined) {
          log.info({ part: name }, `${content} are written again`)
          problems.delete(`${name} write`)
        } else {
          log.error({ code: 'state-unusable', part: name, error }, `${content} are not written, kept in memory`)
          problems.set(`${name} write`, errorText(error))
        }
      }
      const writer = new WriteBehind({ clock, write, onFailure })
      writers.push(writer)
      return writer
    },
    get problems() {
      return [...problems.values()]
    },
    close() {
      for (const writer of writers) writer.stop()
      for (const database of databases) database.close()
    },
  }
}
