import { getPriority, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { errorText } from '../model/errors.ts'
import { Database } from './database.ts'
import type { ThreadAnswer, ThreadPart, ThreadRequest } from './thread.ts'

/** A kind of state: its database, and the store on top whose methods are called. */
export interface ServedPart {
  readonly name: string
  /** See DatabaseGiven. */
  readonly content: string
  readonly loss: string
  readonly formats: readonly string[]
  readonly open: (database: Database, options: never, wall: () => number) => object
}

/** So much nicer than the thread that the changes of endpoints go through, where a thread has a niceness of its own. */
const nicer = 5
const nicest = 19

/** What the thread of StateThread runs: opens a part when it is first called, and does one call after the other. */
export function serveState(served: readonly ServedPart[], wall: () => number): void {
  const port = parentPort
  if (port === null) throw new Error('this runs in a thread of its own')
  if (process.platform === 'linux') setPriority(Math.min(nicest, getPriority() + nicer))
  const post = (answer: ThreadAnswer): void => port.postMessage(answer)
  const databases: Database[] = []
  const stores = new Map<string, object>()
  const storeOf = (name: string): object => {
    const known = stores.get(name)
    if (known !== undefined) return known
    const part = served.find(one => one.name === name)
    const told = (workerData as readonly ThreadPart[]).find(one => one.name === name)
    if (part === undefined || told === undefined) throw new Error(`there is no part ${name}`)
    const database = new Database({ ...part, path: told.path, wall, onDamage: text => post({ damagedPart: name, text }) })
    databases.push(database)
    const store = part.open(database, told.options as never, wall)
    stores.set(name, store)
    return store
  }
  port.on('message', (request: ThreadRequest) => {
    if ('isEnd' in request) {
      for (const database of databases) database.close()
      port.close()
      return
    }
    const { id, part, name, args } = request
    try {
      const store = storeOf(part) as Record<string, (...args: readonly unknown[]) => unknown>
      post({ id, answer: store[name]?.(...args) })
    } catch (error) {
      post({ id, error: { text: errorText(error) } })
    }
  })
}
