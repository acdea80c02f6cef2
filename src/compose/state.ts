import { extname, join } from 'node:path'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import { errorText } from '../model/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { Database } from '../state/database.ts'
import { type Remote, StateThread, type StateThreadGiven } from '../state/thread.ts'
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

/** What a part is whose store lives in the thread that keeps the state. */
interface StoredPart<Store, Options> extends StatePart {
  readonly open: (database: Database, options: Options, wall: () => number) => Store
}

/** The embedded databases of one gateway, one file per part, under `state.path`. */
export interface State {
  /** For what is written seldom and must be kept before it is answered. */
  database(part: StatePart): Database
  /** For what is written all the time: the part as a thread of its own serves it, see state-thread.ts. */
  store<Store, Options>(part: StoredPart<Store, Options>, options: Options): Remote<Store>
  /** Writes a part's changes so many ms later; failures are logged and shown. */
  writeBehind(part: StatePart, write: (enough: () => boolean) => Promise<boolean>, delayMs: number): WriteBehind
  /** Sentences about what is lost or cannot be written at present. */
  readonly problems: readonly string[]
  /** Writes what is due and closes everything. */
  close(): Promise<void>
}

/** Beside this file, under its own ending: `.js` in a package. */
const entry = new URL(`./state-thread${extname(import.meta.url)}`, import.meta.url)

/** Nothing is opened before it is used. With `state.path: ":memory:"` everything works and nothing outlives the process. */
export function openState({ state }: Pick<Settings, 'state'>, clock: Clock, log: SourceLog, spawn?: StateThreadGiven['spawn']): State {
  const databases: Database[] = []
  const writers: WriteBehind[] = []
  const problems = new Map<string, string>()
  const pathOf = (name: string): string => (state.path === ':memory:' ? state.path : join(state.path, `${name}.db`))
  const onDamage = (name: string, text: string): void => {
    log.error({ code: 'state-damaged', part: name }, text)
    problems.set(`${name} damage`, text)
  }
  const thread = new StateThread({
    entry,
    ...(spawn === undefined ? {} : { spawn }),
    onDamage,
    onDeath(reason) {
      if (reason === undefined) {
        log.info({}, 'the thread that keeps the state runs again')
        problems.delete('thread')
      } else {
        log.error({ code: 'state-unusable', error: reason }, 'the thread that keeps the state ended; a new one begins with the next write')
        problems.set('thread', reason)
      }
    },
  })
  return {
    database({ name, ...part }) {
      const database = new Database({ ...part, path: pathOf(name), wall: () => clock.wall(), onDamage: text => onDamage(name, text) })
      databases.push(database)
      return database
    },
    store: ({ name }, options) => thread.part({ name, path: pathOf(name), options }),
    writeBehind({ name, content }, write, delayMs) {
      const onFailure = (error: unknown): void => {
        if (error === undefined) {
          log.info({ part: name }, `${content} are written again`)
          problems.delete(`${name} write`)
        } else {
          log.error({ code: 'state-unusable', part: name, error: errorText(error) }, `${content} are not written, kept in memory`)
          problems.set(`${name} write`, errorText(error))
        }
      }
      const writer = new WriteBehind({ clock, write, onFailure, delayMs })
      writers.push(writer)
      return writer
    },
    get problems() {
      return [...problems.values()]
    },
    async close() {
      await Promise.all(writers.map(writer => writer.stop()))
      await thread.end()
      for (const database of databases) database.close()
    },
  }
}
