import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { parseManifests } from '../../src/manifests/parse.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use once nothing of this turn is held any more. */
async function inUse(): Promise<number> {
  await setImmediate()
  collect()
  return process.memoryUsage().heapUsed
}

t.test('objects that were read do not keep the syntax tree of their text, and still know their lines', async t => {
  const count = 2000
  const text = Array.from(
    { length: count },
    (_, index) =>
      `apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: {name: m${index}}\nspec:\n  hostname: "*"\n  prefix: /m${index}/\n  service: web\n  headers: {a: b, c: d, e: f}\n`,
  ).join('---\n')
  const before = await inUse()
  const { objects } = parseManifests(text, { file: 'web.yaml', namespace: 'default' })
  const each = ((await inUse()) - before) / count
  t.equal(objects.length, count)
  t.ok(each < 4000, `an object keeps ${each.toFixed(0)} bytes; with its tree nearly 8,000`)
  t.equal(objects[1]?.locate(['spec', 'service']), 'web.yaml:16')
})
