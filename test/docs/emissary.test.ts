import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { servedSchemas } from '../../src/manifests/kinds.ts'
import { repository } from '../tools/repository.ts'

/** Issue 7, "Done means": docs/emissary.md has no empty cell, and no field is forgotten. */

const page = await readFile(join(repository, 'docs/emissary.md'), 'utf8')
/** Ours, of Kubernetes itself, or told of elsewhere. */
const notEmissarys = new Set(['ServicePool', 'Ingress', 'IngressClass', 'Secret'])

t.test('every field of every kind is named', async t => {
  for (const [kind, schema] of Object.entries(servedSchemas)) {
    if (notEmissarys.has(kind)) continue
    t.ok(page.includes(kind), kind)
    const { properties = {} } = schema as { properties?: Readonly<Record<string, unknown>> }
    const missing = Object.keys(properties).filter(field => !new RegExp(`\\b${field}\\b`).test(page))
    t.same(missing, [], kind)
  }
})

t.test('no cell is empty, and each field works, works better, or has no effect', async t => {
  const rows = page.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| field') && !line.startsWith('| kind'))
  t.ok(rows.length > 100)
  for (const row of rows) {
    const cells = row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map(cell => cell.trim())
    t.ok(
      cells.every(cell => cell !== ''),
      row,
    )
    t.ok(['works', 'better', 'none'].includes(cells[1] ?? ''), row)
  }
})
