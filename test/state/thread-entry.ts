/** A state thread with one small part, for thread.test.ts. */
import { type Database, DamagedError } from '../../src/state/database.ts'
import { serveState } from '../../src/state/serve-state.ts'

/** Words, in the order in which they came. */
export class WordStore {
  readonly #database: Database
  readonly #prefix: string

  constructor(database: Database, prefix: string) {
    this.#database = database
    this.#prefix = prefix
  }

  add(word: string): void {
    this.#database.write(open => open.prepare('INSERT INTO words (word) VALUES (?)').run(this.#prefix + word))
  }

  all(): readonly string[] {
    return this.#database.read(open =>
      open
        .prepare('SELECT word FROM words ORDER BY id')
        .all()
        .map(row => String(row['word'])),
    )
  }

  strict(): readonly string[] {
    return this.#database.read(open => {
      if (open.prepare('SELECT word FROM words').all().length > 0) throw new DamagedError('there must be no words')
      return []
    })
  }

  die(): void {
    process.exit(7)
  }
}

serveState(
  [
    {
      name: 'words',
      content: 'words',
      loss: 'they are gone',
      formats: ['CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT'],
      open: (database: Database, prefix: string) => new WordStore(database, prefix),
    },
  ],
  () => 0,
)
