import { link, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { filePlugin } from '../../../plugins/file/index.ts'
import { fileSource } from '../../../plugins/file/watch.ts'
import { watchedPlaces } from '../../../plugins/file/watched-places.ts'
import { makeGiven, type Recording, startRun } from '../../contract/harness.ts'
import { makeTestClock } from '../../contract/test-clock.ts'

async function tempFolder(test: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-file-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

function start(test: Test, path: string): Recording {
  const run = startRun(filePlugin.create({ path, settleMilliseconds: 5 }, makeGiven()).source)
  test.teardown(() => run.stop())
  return run.recording
}

function content(address: string): string {
  return `services:\n  - name: web\n    endpoints:\n      - { address: ${address}, port: 80 }\n`
}

async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.next`, text)
  await rename(`${path}.next`, path)
}

void t.test('a file renamed over the old one is read at once, again and again', async test => {
  const path = join(await tempFolder(test), 'endpoints.yaml')
  await put(path, content('10.0.0.1'))
  // The clock stands still: a wait of any length would hang this test.
  const clock = makeTestClock()
  const run = startRun(fileSource({ path, pollMs: 5000, settleMs: 25 }, makeGiven()), { clock })
  test.teardown(() => run.stop())
  for (let last = 1; last < 20; last++) {
    // A second name keeps the replaced file's inode from being given to the next file, which would look like a write in place.
    await link(path, `${path}.${last}`)
    await put(path, content(`10.0.0.${last}`))
    await run.recording.untilServed('default/web', `10.0.0.${last}:80`)
  }
  test.equal(run.recording.syncs, 1)
})

void t.test('a file written in place is read when it came to rest', async test => {
  const path = join(await tempFolder(test), 'endpoints.yaml')
  await writeFile(path, content('10.0.0.1'))
  const clock = makeTestClock()
  const run = startRun(fileSource({ path, pollMs: 5000, settleMs: 25 }, makeGiven()), { clock })
  test.teardown(() => run.stop())
  await clock.untilSleeping()
  await writeFile(path, content('10.0.0.2'))
  // The poll's sleeper and that of the settling.
  await clock.untilSleeping(2)
  test.strictSame(run.recording.view()['default/web'], ['10.0.0.1:80'])
  // Once, or twice if the first look came before the last byte.
  const served = run.recording.untilServed('default/web', '10.0.0.2:80').then(() => true)
  do clock.advance(25)
  while (!(await Promise.race([served, clock.untilSleeping(2).then(() => false)])))
  test.strictSame(run.recording.view()['default/web'], ['10.0.0.2:80'])
})

void t.test('a missing file is an error that keeps the endpoints, and is got over', async test => {
  const path = join(await tempFolder(test), 'endpoints.yaml')
  const recording = start(test, path)
  await recording.until(() => recording.reports.length > 0)
  test.match(recording.reports[0], { ok: false, code: 'endpoints-unreadable', error: /ENOENT/ })
  test.equal(recording.syncs, 0, 'what was never read is not synced')
  await writeFile(path, content('10.0.0.1'))
  await recording.untilServed('default/web', '10.0.0.1:80')
  const reports = recording.reports.length
  await unlink(path)
  await recording.until(() => recording.reports.slice(reports).some(report => !report.ok))
  test.strictSame(recording.view()['default/web'], ['10.0.0.1:80'])
  await writeFile(path, content('10.0.0.2'))
  await recording.untilServed('default/web', '10.0.0.2:80')
  test.match(recording.reports.at(-1), { ok: true })
})

void t.test('a refused edit is reported with its place, and the endpoints stay', async test => {
  const path = join(await tempFolder(test), 'endpoints.yaml')
  await put(path, content('10.0.0.1'))
  const recording = start(test, path)
  await recording.untilServed('default/web', '10.0.0.1:80')
  await put(path, content('10.0.0.2').replace('80', '99999'))
  await recording.until(() => recording.reports.some(report => !report.ok))
  test.match(recording.reports.at(-1), {
    ok: false,
    code: 'endpoints-invalid',
    error: /endpoints\.yaml:4: services\[0\]\.endpoints\[0\]\.port must be <= 65535/,
  })
  test.strictSame(recording.view()['default/web'], ['10.0.0.1:80'])
})

void t.test('a refused address is a notice that goes away with its cause', async test => {
  const path = join(await tempFolder(test), 'endpoints.yaml')
  await put(path, content('127.0.0.1'))
  const recording = start(test, path)
  await recording.until(() => recording.reports.length > 0)
  test.match(recording.reports.at(-1), { ok: true, notice: /endpoints\.yaml:4: .*loopback/ })
  await put(path, content('10.0.0.1'))
  await recording.untilServed('default/web', '10.0.0.1:80')
  await recording.until(() => recording.reports.length > 1)
  test.match(recording.reports.at(-1), { ok: true, notice: '' })
})

void t.test('a swap of a link on the way to the file is seen', async test => {
  const folder = await tempFolder(test)
  for (const [name, address] of [
    ['one', '10.0.0.1'],
    ['two', '10.0.0.2'],
  ] as const) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'endpoints.yaml'), content(address))
  }
  // As Kubernetes mounts a ConfigMap: the file is a link through a folder link, which is swapped.
  await symlink('one', join(folder, '..data'))
  await symlink('..data/endpoints.yaml', join(folder, 'endpoints.yaml'))
  const recording = start(test, join(folder, 'endpoints.yaml'))
  await recording.untilServed('default/web', '10.0.0.1:80')
  await symlink('two', join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
  await recording.untilServed('default/web', '10.0.0.2:80')
  await put(join(folder, 'two', 'endpoints.yaml'), content('10.0.0.3'))
  await recording.untilServed('default/web', '10.0.0.3:80')
})

void t.test('all folders whose change matters are known, and loops of links end', async test => {
  const folder = await tempFolder(test)
  await mkdir(join(folder, 'real'))
  await symlink('real', join(folder, 'link'))
  await symlink('loop', join(folder, 'loop'))
  const places = await watchedPlaces(join(folder, 'link', 'endpoints.yaml'))
  test.strictSame([...(places.get(join(folder, 'real')) ?? [])], ['endpoints.yaml'])
  test.strictSame([...(places.get(folder) ?? [])], ['link'])
  test.ok((await watchedPlaces(join(folder, 'loop'))).has(folder))
})

void t.test('a change that the system does not tell of is found by looking now and then', async test => {
  const folder = await tempFolder(test)
  const path = join(folder, 'not-yet', 'endpoints.yaml')
  const clock = makeTestClock()
  const run = startRun(fileSource({ path, pollMs: 5000, settleMs: 25 }, makeGiven()), { clock })
  test.teardown(() => run.stop())
  await clock.untilSleeping()
  await mkdir(join(folder, 'not-yet'))
  await put(path, content('10.0.0.1'))
  clock.advance(5000)
  await clock.untilSleeping()
  clock.advance(25)
  await run.recording.untilServed('default/web', '10.0.0.1:80')
})
