import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../tools/repository.ts'

/** How many rules each section of the checklist has. */
const sections = { C: 19, S: 17, D: 19, O: 9, L: 12, G: 7 } as const
const ids = [
  ...Object.entries(sections).flatMap(([letter, count]) => Array.from({ length: count }, (_, index) => letter + String(index + 1))),
  ...['X2', 'X5', 'X6'],
]

/** Id → files, as docs/xds.md says. */
function documented(): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(join(repository, 'docs/xds.md'), 'utf8')
  const rows = [...text.matchAll(/^\| ([CSDOLGX]\d+) \| ([^|]*) \|/gm)]
  return new Map(rows.map(([, id = '', files = '']) => [id, [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file)]))
}

/** The ids in the names of tests and rules of a file. */
function named(file: string): ReadonlySet<string> {
  const found = new Set<string>()
  const text = readFileSync(file, 'utf8')
  for (const [, , title = ''] of text.matchAll(/(?:t\.test\(|rule:)\s*(['"`])((?:\\.|(?!\1).)*)\1/g))
    for (const [id] of title.matchAll(/\b[CSDOLGX]\d+\b/g)) found.add(id)
  return found
}

const folder = join(repository, 'test/xds')

t.test('every rule of the checklist has tests that bear its id, in the files that docs/xds.md names', async t => {
  const table = documented()
  t.same([...table.keys()].sort(), [...ids].sort(), 'each rule has its row, and no row is of no rule')
  for (const [id, files] of table) {
    t.ok(files.length > 0, `${id} has tests`)
    for (const file of files) t.ok(named(join(folder, file)).has(id), `${file} has a test named ${id}`)
  }
})

t.test('every test of test/xds that bears the id of a rule is in docs/xds.md', async t => {
  const table = documented()
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    for (const id of named(join(folder, file))) if (ids.includes(id)) t.ok(table.get(id)?.includes(file), `${id} names ${file}`)
  }
})
