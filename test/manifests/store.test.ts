import t from 'tap'
import type { ManifestGroup } from '../../src/manifests/contract.ts'
import { object, Round } from '../compile/fixtures.ts'
import { parseManifests } from '../../src/manifests/parse.ts'
import { ManifestStore } from '../../src/manifests/store.ts'

function group(id: string, ...names: readonly string[]): ManifestGroup {
  const text = names
    .map(
      name =>
        `apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: {name: ${name}}\nspec: {prefix: /, service: ${id.replace('.yaml', '')}}\n`,
    )
    .join('---\n')
  return { id, ...parseManifests(text, { file: id, namespace: 'default' }) }
}

const names = (store: ManifestStore) => store.statuses().map(status => `${status.ref.name}@${status.ref.at} ${status.state}`)
const empty = (id: string): ManifestGroup => ({ id, objects: [], problems: [] })

t.test('a group replaces the former of its id; an empty one removes it', async t => {
  const store = new ManifestStore(['default'])
  const run = store.begin('files')
  run.emit([group('a.yaml', 'one', 'two')])
  run.emit([group('a.yaml', 'two')])
  t.same(names(store), ['two@a.yaml:1 accepted'])
  run.emit([empty('a.yaml')])
  t.same(names(store), [])
})

t.test('groups that a run did not repeat are pruned when it has synced, not before', async t => {
  const store = new ManifestStore(['default'])
  const first = store.begin('files')
  first.emit([group('a.yaml', 'one'), group('b.yaml', 'two')])
  first.synced()
  const second = store.begin('files')
  second.emit([group('a.yaml', 'one')])
  t.equal(store.statuses().length, 2)
  first.emit([group('c.yaml', 'late')])
  first.synced()
  t.equal(store.statuses().length, 2, 'calls of a run that is over are dropped')
  second.synced()
  t.same(names(store), ['one@a.yaml:1 accepted'])
  store.remove('files')
  t.same(names(store), [])
  second.emit([group('a.yaml', 'one')])
  t.same(names(store), [], 'nor does a removed source come back')
})

t.test('a name that stands twice: the first place counts, the other is refused and names the first', async t => {
  const store = new ManifestStore(['default'])
  const run = store.begin('files')
  run.emit([group('b.yaml', 'one')])
  run.emit([group('a.yaml', 'one')])
  t.match(store.statuses(), [
    { ref: { at: 'a.yaml:1' }, state: 'accepted' },
    {
      ref: { at: 'b.yaml:1' },
      state: 'refused',
      problems: [{ path: 'metadata.name', text: /Mapping default\/one already stands at a\.yaml:1/, at: 'b.yaml:3' }],
    },
  ])
  t.match(store.objects(), [{ id: 'Mapping/default/one', current: { spec: { service: 'a' } } }])
  t.equal(store.objects().length, 1)
  run.emit([empty('a.yaml')])
  t.same(names(store), ['one@b.yaml:1 accepted'], 'the other one takes its place when the first is gone')
})

t.test('keep: what the group no longer names stays, what it names is replaced', async t => {
  const store = new ManifestStore(['default'])
  const run = store.begin('files')
  run.emit([group('a.yaml', 'one', 'two')])
  const problem = { code: 'manifest-unreadable', at: 'a.yaml:9', text: 'no YAML' } as const
  run.emit([{ ...group('a.yaml', 'two'), problems: [problem], keep: true }])
  t.same(
    store.statuses().map(status => status.ref.name),
    ['one', 'two'],
  )
  t.same(store.problems(), [problem])
  run.emit([group('a.yaml', 'two')])
  t.same(names(store), ['two@a.yaml:1 accepted'])
  t.same(store.problems(), [])
})

t.test('listeners hear of changes until they unsubscribe', async t => {
  const store = new ManifestStore(['default'])
  let calls = 0
  const stop = store.onChange(() => calls++)
  const run = store.begin('files')
  run.emit([group('a.yaml', 'one')])
  run.synced()
  t.equal(calls, 1, 'nothing was pruned: no second change')
  stop()
  run.emit([empty('a.yaml')])
  t.equal(calls, 1)
})

t.test('hostsDeclared counts refused Hosts, not those of other gateways; namespaces are those of our objects', async t => {
  const store = new ManifestStore(['default'])
  const run = store.begin('files')
  const emit = (spec: string) => {
    const text = `apiVersion: getambassador.io/v3alpha1\nkind: Host\nmetadata: {name: h, namespace: shop}\nspec: ${spec}\n`
    run.emit([{ id: 'h.yaml', ...parseManifests(text, { file: 'h.yaml', namespace: 'default' }) }])
    return store.hostsDeclared
  }
  t.equal(emit('{ambassador_id: [other]}'), false)
  t.equal(emit('{nope: 1}'), true)
  t.equal(emit('{hostname: a.example.com}'), true)
  t.same([...store.namespaces], ['shop'])
})

t.test('between reading an edit and compiling it, a bad one shows its last good version, a good one no stale complaint', async t => {
  const round = new Round()
  const mapping = (spec: string) => object('Mapping', 'm', spec)
  const read = (spec: string): void => {
    const { objects, problems } = parseManifests(mapping(spec), { file: 'm.yaml', namespace: 'default' })
    round.run.emit([{ id: 'm.yaml', objects, problems, keep: false }])
  }
  round.apply(mapping('{prefix: /, service: web}'))
  read('{prefix: 5, service: web}')
  t.match(round.status('Mapping', 'm'), /^refused\+lastGood spec\.prefix/, 'before it is compiled')
  round.compile()
  t.match(round.status('Mapping', 'm'), /^refused\+lastGood spec\.prefix/, 'and after')
  round.apply(mapping('{prefix: /, service: web, resolver: nobody}'))
  t.match(round.status('Mapping', 'm'), /^refused\+lastGood spec\.resolver/)
  read('{prefix: /, service: web}')
  t.equal(round.status('Mapping', 'm'), 'accepted', 'what compile said of the former version is not said of this one')
})
