import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { DamagedError, Database, type DatabaseGiven } from '../../src/state/database.ts'

const formats = ['CREATE TABLE items (name TEXT PRIMARY KEY) STRICT', "ALTER TABLE items ADD COLUMN note TEXT NOT NULL DEFAULT 'none'"]

async function temporary(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-state-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

function open(path: string, over: Partial<DatabaseGiven> = {}) {
  const damages: string[] = []
  const onDamage = (text: string): void => void damages.push(text)
  const given = { path, content: 'items', loss: 'they come again', formats, wall: () => 0, onDamage, ...over }
  return { database: new Database(given), damages }
}

const put = (name: string) => (database: DatabaseSync) => void database.prepare('INSERT INTO items (name) VALUES (?)').run(name)
const names = (database: DatabaseSync) =>
  database
    .prepare('SELECT name FROM items ORDER BY name')
    .all()
    .map(row => row['name'])

t.test('what was written is there after a restart; an older format is brought up to date with its content', async t => {
  const path = join(await temporary(t), 'deep', 'items.db')
  const old = open(path, { formats: formats.slice(0, 1) })
  old.database.write(put('a'))
  old.database.close()
  const next = open(path)
  t.same(
    next.database.read(database => database.prepare('SELECT * FROM items').all().map(Object.entries)),
    [
      [
        ['name', 'a'],
        ['note', 'none'],
      ],
    ],
  )
  next.database.write(put('b'))
  next.database.close()
  t.same(next.database.read(names), ['a', 'b'], 'a closed one opens again')
  next.database.close()
  t.same(next.damages, [])
})

t.test('a format of the future is refused and left alone', async t => {
  const path = join(await temporary(t), 'items.db')
  const future = open(path, { formats: [...formats, 'CREATE TABLE more (a TEXT) STRICT'] })
  future.database.write(put('a'))
  future.database.close()
  t.throws(() => open(path).database.read(names), { code: 'state-unusable', message: /newer Isthmus \(format 3\).*they come again/ })
  t.same(future.database.read(names), ['a'])
  future.database.close()
})

t.test('a transaction that fails leaves nothing behind', async t => {
  const { database } = open(join(await temporary(t), 'items.db'))
  const half = () =>
    database.write(db => {
      put('a')(db)
      throw new Error('no more')
    })
  t.throws(half, { code: 'state-unusable', message: /items cannot be written in .*items\.db: no more/ })
  t.same(database.read(names), [])
  database.close()
})

t.test('a damaged file is moved aside whole and reported, and the same work is done on a new one', async t => {
  const noise = 'not a database, but long enough to be read as the header of one, it seems\n'.repeat(10)
  const damages: [string, (path: string) => Promise<void>, RegExp][] = [
    ['cut off', path => truncate(path, 5000), /was damaged \(/],
    ['empty', path => truncate(path, 0), /the file is empty/],
    ['something else', path => writeFile(path, noise), /not a database/],
  ]
  for (const [name, damage, says] of damages) {
    const folder = await temporary(t)
    const path = join(folder, 'items.db')
    const before = open(path)
    before.database.write(put('a'))
    before.database.close()
    await damage(path)
    const damaged = await readFile(path)
    const after = open(path)
    after.database.write(put('b'))
    t.same(after.database.read(names), ['b'], name)
    t.match(after.damages, [says], name)
    t.match(after.damages[0], /moved to .*items\.db\.damaged-1970-01-01T00-00-00\.000Z; they come again/)
    after.database.close()
    t.same(await readFile(join(folder, 'items.db.damaged-1970-01-01T00-00-00.000Z')), damaged, 'nothing is lost')
  }
})

t.test('rows that make no sense count as damage too, at any time', async t => {
  const folder = await temporary(t)
  const { database, damages } = open(join(folder, 'items.db'))
  database.write(put('a'))
  const strict = (db: DatabaseSync) => {
    const found = names(db)
    if (found.includes('a')) throw new DamagedError('there must be no a')
    return found
  }
  t.same(database.read(strict), [])
  t.match(damages, [/there must be no a/])
  t.equal((await readdir(folder)).filter(name => name.includes('.damaged-') && name.endsWith('Z')).length, 1)
  database.close()
})

t.test('a place that cannot be used is named', async t => {
  const folder = await temporary(t)
  await writeFile(join(folder, 'file'), '')
  const { database } = open(join(folder, 'file', 'items.db'))
  t.throws(() => database.read(names), { code: 'state-unusable', message: /items cannot be read in .*items\.db/ })
})

t.test(':memory: works and keeps nothing', async t => {
  const { database, damages } = open(':memory:')
  database.write(put('a'))
  t.same(database.read(names), ['a'])
  database.close()
  t.same(open(':memory:').database.read(names), [])
  t.same(damages, [])
})
