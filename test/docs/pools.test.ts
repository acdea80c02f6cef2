import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { servicePoolSchema } from '../../src/manifests/schema/service-pool.ts'
import { Round } from '../compile/fixtures.ts'
import { repository } from '../tools/repository.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

/** Paths of all fields; below `members` the registries are one, `KIND`, but for what only one of them has. */
function pathsOf(schema: Schema, path: string): readonly string[] {
  const inner = Object.entries((schema.items ?? schema).properties ?? {})
  if (inner.length === 0 || path === 'healthChecks' || path === 'members.health') return [path]
  return inner.flatMap(([key, one]) => {
    const isKind = path === 'members' && ['kubernetes', 'consul', 'vm', 'file', 'any'].includes(key)
    const own = pathsOf(one, path === '' ? key : `${path}.${key}`)
    return isKind ? own.map(name => (name.endsWith('.datacenter') ? name : name.replace(`.${key}.`, '.KIND.'))) : own
  })
}

t.test('docs/pools.md names every field of a ServicePool, no other, and its examples are accepted', async t => {
  const page = await readFile(join(repository, 'docs/pools.md'), 'utf8')
  const section = page.slice(page.indexOf('## Fields'), page.indexOf('## Examples'))
  const named = [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  )
  t.same(named.filter(name => name !== 'members').sort(), [...new Set(pathsOf(servicePoolSchema as Schema, ''))].sort())
  const examples = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = '']) => text)
  t.equal(examples.length, 4)
  for (const example of examples) {
    const round = new Round({
      sources: [
        ...['dc1', 'dc2'].map(name => ({ name, type: 'consul', namespace: 'default', datacenter: name })),
        { name: 'cluster-a', type: 'kubernetes', namespace: 'default', datacenter: undefined },
      ],
    })
    const { pools } = round.apply(example)
    t.match(round.store.statuses(), [{ ref: { kind: 'ServicePool' }, state: 'accepted', problems: [] }])
    t.equal(pools.length, 1)
  }
})
