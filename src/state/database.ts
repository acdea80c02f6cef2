import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorText, IsthmusError } from '../model/errors.ts'

export interface DatabaseGiven {
  /** A file, whose folder is made if need be, or `:memory:`, which keeps nothing. */
  readonly path: string
  /** What is kept in it, in the plural, for messages: `leases`. */
  readonly content: string
  /** What follows of losing it, for messages: `agents register again by themselves`. */
  readonly loss: string
  /** Statements that lead from each format to the next one, from an empty file on. Only ever append. */
  readonly formats: readonly string[]
  /** Wall clock, ms: for the name of what is moved aside. */
  readonly wall: () => number
  /** Is told when the file was damaged: what was wrong, where it was moved to, and what follows. */
  readonly onDamage: (text: string) => void
}

/** Result codes of SQLite that mean the file is no sound database. */
const corrupt = 11
const notADatabase = 26

/** Throw it while reading when rows make no sense: the database is then taken as damaged. */
export class DamagedError extends Error {}

/**
 * One embedded database, opened when it is first used. A damaged file is moved aside with its companions and an empty one takes its place:
 * then, and at any time, the same work is done again on the new one. Each part of the gateway keeps a file of its own, so that the damage of
 * one takes nothing else away. All calls are synchronous and throw `state-unusable`, naming the file, when it cannot be used.
 */
export class Database {
  readonly #given: DatabaseGiven
  #database: DatabaseSync | undefined
  #checked = false

  constructor(given: DatabaseGiven) {
    this.#given = given
  }

  /** Reads; the first time after the whole file was checked. `work` must not keep what it is given. */
  read<Result>(work: (database: DatabaseSync) => Result): Result {
    return this.#guarded('read', work)
  }

  /** Does everything or nothing of `work`, as one transaction. A crash of the process loses nothing, one of the machine the last moments. */
  write<Result>(work: (database: DatabaseSync) => Result): Result {
    return this.#guarded('written', database => {
      database.exec('BEGIN IMMEDIATE')
      try {
        const result = work(database)
        database.exec('COMMIT')
        return result
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      }
    })
  }

  /** The next use opens it again, unless it was in memory: that is gone. */
  close(): void {
    this.#database?.close()
    this.#database = undefined
  }

  #guarded<Result>(verb: string, work: (database: DatabaseSync) => Result): Result {
    const { path, content } = this.#given
    try {
      try {
        return work(this.#open())
      } catch (error) {
        if (!isDamage(error)) throw error
        this.#moveAside(error)
        return work(this.#open())
      }
    } catch (cause) {
      if (cause instanceof IsthmusError) throw cause
      throw new IsthmusError('state-unusable', `${content} cannot be ${verb} in ${path}: ${errorText(cause)}`, { cause })
    }
  }

  #open(): DatabaseSync {
    if (this.#database !== undefined) return this.#database
    const { path, formats } = this.#given
    const isFile = path !== ':memory:'
    if (isFile) mkdirSync(dirname(path), { recursive: true })
    // SQLite takes an empty file for a new database; ours never is one.
    if (isFile && existsSync(path) && statSync(path).size === 0) throw new DamagedError('the file is empty')
    const database = new DatabaseSync(path)
    try {
      // NORMAL: no wait for the disk per transaction; what a crash of the machine may lose is what no source of ours vouches for anyway.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 1000')
      if (!this.#checked) checkWhole(database)
      this.#checked = true
      const { user_version: format } = database.prepare('PRAGMA user_version').get() as { user_version: number }
      if (format > formats.length) {
        throw new IsthmusError(
          'state-unusable',
          `${path} was written by a newer Isthmus (format ${format}): use that one, or move the file away; ${this.#given.loss}`,
        )
      }
      for (const [index, statements] of formats.entries()) {
        if (index >= format) database.exec(`BEGIN IMMEDIATE; ${statements}; PRAGMA user_version = ${index + 1}; COMMIT`)
      }
    } catch (error) {
      database.close()
      throw error
    }
    this.#database = database
    return database
  }

  #moveAside(error: unknown): void {
    const { path, wall, loss, onDamage } = this.#given
    this.close()
    const aside = `${path}.damaged-${new Date(wall()).toISOString().replaceAll(':', '-')}`
    for (const end of ['', '-wal', '-shm']) if (existsSync(path + end)) renameSync(path + end, aside + end)
    onDamage(`${path} was damaged (${errorText(error)}) and moved to ${aside}; ${loss}`)
  }
}

function checkWhole(database: DatabaseSync): void {
  const result = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
  if (result !== 'ok') throw new DamagedError(String(result))
}

function isDamage(error: unknown): boolean {
  if (error instanceof DamagedError || error instanceof SyntaxError) return true
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  // The low byte is the primary code.
  return typeof code === 'number' && [corrupt, notADatabase].includes(code & 0xff)
}
