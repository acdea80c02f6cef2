import { once, EventEmitter } from 'node:events'
import { chmod, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/discovery/system-clock.ts'
import type { ManifestGroup } from '../../src/manifests/contract.ts'
import { directorySource } from '../../src/manifests/directory.ts'
import { ManifestStore } from '../../src/manifests/store.ts'

const mapping = (name: string, prefix = '/') =>
  `apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: {name: ${name}}\nspec: {prefix: ${prefix}, service: web}\n`
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** A running source over a folder of its own, and a way to wait until the store holds what is expected. */
async function watched(t: Test, prepare: (folder: string) => Promise<unknown> = async () => undefined, below = '') {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-manifests-'))
  await prepare(folder)
  const store = new ManifestStore(['default'])
  const events = new EventEmitter()
  const over = new AbortController()
  const emitted: ManifestGroup[][] = []
  let synced = 0
  const run = store.begin('files')
  const running = directorySource({ path: join(folder, below), namespace: 'default' }).run({
    signal: over.signal,
    log: silent,
    clock: systemClock,
    emit: groups => {
      emitted.push([...groups])
      run.emit(groups)
      events.emit('change')
    },
    synced: () => {
      synced++
      run.synced()
      events.emit('change')
    },
  })
  t.teardown(async () => {
    over.abort()
    await running
    await rm(folder, { recursive: true, force: true })
  })
  const until = async (holds: () => boolean) => {
    while (!holds()) await once(events, 'change')
  }
  const names = () =>
    store
      .statuses()
      .map(status => status.ref.name)
      .join(' ')
  return { folder, store, emitted, until, names, synced: () => synced, has: (expected: string) => until(() => names() === expected) }
}

t.test('files are read recursively, then the source is synced; other and hidden files are left out', async t => {
  const { until, names, synced } = await watched(t, async folder => {
    await mkdir(join(folder, 'deep/deeper'), { recursive: true })
    await mkdir(join(folder, '.hidden'))
    await writeFile(join(folder, 'a.yaml'), mapping('a'))
    await writeFile(join(folder, 'deep/deeper/b.yml'), mapping('b'))
    await writeFile(join(folder, 'deep/c.json'), JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'c' } }))
    await writeFile(join(folder, 'notes.txt'), mapping('x'))
    await writeFile(join(folder, '.hidden/d.yaml'), mapping('x'))
    await symlink('..', join(folder, 'deep/loop'))
  })
  await until(() => synced() === 1)
  t.equal(names(), 'a b c')
})

t.test('edits, new files and folders, renames over and deletions arrive', async t => {
  const { folder, store, has, until } = await watched(t, folder => writeFile(join(folder, 'a.yaml'), mapping('a')))
  await has('a')
  await writeFile(join(folder, 'a.yaml'), mapping('a2'))
  await has('a2')
  await writeFile(join(folder, '.a.yaml.swp'), mapping('a3'))
  await rename(join(folder, '.a.yaml.swp'), join(folder, 'a.yaml'))
  await has('a3')
  await mkdir(join(folder, 'sub'))
  await writeFile(join(folder, 'sub/b.yaml'), mapping('b'))
  await has('a3 b')
  await writeFile(join(folder, 'sub/b.yaml'), mapping('b2'))
  await has('a3 b2')
  await unlink(join(folder, 'a.yaml'))
  await has('b2')
  await rm(join(folder, 'sub'), { recursive: true })
  await until(() => store.statuses().length === 0)
})

t.test('a folder that is replaced by another of the same name is watched on', async t => {
  const { folder, has } = await watched(t, async folder => {
    await mkdir(join(folder, 'sub'))
    await writeFile(join(folder, 'sub/a.yaml'), mapping('a'))
    await mkdir(join(folder, '.next'))
    await writeFile(join(folder, '.next/a.yaml'), mapping('b'))
  })
  await has('a')
  await rename(join(folder, 'sub'), join(folder, '.old'))
  await rename(join(folder, '.next'), join(folder, 'sub'))
  await has('b')
  await writeFile(join(folder, 'sub/a.yaml'), mapping('c'))
  await has('c')
})

t.test('a mounted ConfigMap: the swap of ..data replaces the objects and never leaves a file empty', async t => {
  const { folder, has, emitted } = await watched(t, async folder => {
    for (const [version, name] of [
      ['..1', 'a'],
      ['..2', 'b'],
    ] as const) {
      await mkdir(join(folder, version))
      await writeFile(join(folder, version, 'web.yaml'), mapping(name))
      await writeFile(join(folder, version, 'more.yaml'), mapping(`${name}-more`))
    }
    await symlink('..1', join(folder, '..data'))
    for (const file of ['web.yaml', 'more.yaml']) await symlink(`..data/${file}`, join(folder, file))
  })
  await has('a a-more')
  const before = emitted.length
  await symlink('..2', join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  await has('b b-more')
  t.ok(
    emitted
      .slice(before)
      .flat()
      .every(group => group.objects.length === 1),
  )
})

t.test('the path itself may be missing, come, go (its objects stay) and come back', async t => {
  const { folder, store, until, has, names } = await watched(t, undefined, 'not/yet')
  await until(() => store.problems().length === 1)
  t.match(store.problems(), [{ code: 'manifest-unreadable', text: /does not exist/ }])
  await mkdir(join(folder, 'not/yet'), { recursive: true })
  await writeFile(join(folder, 'not/yet/a.yaml'), mapping('a'))
  await has('a')
  await until(() => store.problems().length === 0)
  await rm(join(folder, 'not'), { recursive: true })
  await until(() => store.problems().length === 1)
  t.equal(names(), 'a')
  await mkdir(join(folder, 'not/yet'), { recursive: true })
  await writeFile(join(folder, 'not/yet/b.yaml'), mapping('b'))
  await has('b')
})

t.test('the path may name one file', async t => {
  const { folder, has } = await watched(t, folder => writeFile(join(folder, 'only.conf'), mapping('a')), 'only.conf')
  await has('a')
  await writeFile(join(folder, 'other.yaml'), mapping('x'))
  await writeFile(join(folder, 'only.conf'), mapping('b'))
  await has('b')
})

t.test('a file that becomes unreadable keeps its objects and says why', async t => {
  const { folder, store, until, has, names } = await watched(t, folder => writeFile(join(folder, 'a.yaml'), mapping('a')))
  await has('a')
  const reason = async (text: string | Buffer, expected: RegExp) => {
    await writeFile(join(folder, 'a.yaml'), text)
    await until(() => expected.test(store.problems()[0]?.text ?? ''))
    t.equal(names(), 'a', String(expected))
  }
  await reason('kind: "Mapp\n', /no valid YAML/)
  await reason(Buffer.from([0xff, 0xfe, 0x00, 0x41]), /no UTF-8 text/)
  await reason(Buffer.alloc(10 * 1024 * 1024 + 1, '#'), /split the file/)
  if (process.getuid?.() !== 0) {
    await chmod(join(folder, 'a.yaml'), 0)
    await until(() => /cannot be read/.test(store.problems()[0]?.text ?? ''))
    t.equal(names(), 'a')
  }
  await writeFile(join(folder, 'b.yaml'), mapping('b'))
  await has('a b')
})
