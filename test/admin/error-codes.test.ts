import { readFileSync } from 'node:fs'
import t from 'tap'
import { errorCodes } from '../../src/model/errors.ts'

t.test('docs/errors.md lists every code with its meaning, and no other', async t => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, code, meaning]) => [code, meaning])
  t.strictSame(rows, Object.entries(errorCodes))
})
