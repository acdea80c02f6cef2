import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadSettings } from '../../src/settings/load.ts'
import { watchSettings } from '../../src/settings/watch.ts'

/** Reports of a watch, one at a time. */
function follow(t: { teardown(fn: () => void): void }, file: string) {
  const reports: string[] = []
  let wake: () => void = () => undefined
  const put = (report: string) => {
    reports.push(report)
    wake()
  }
  const watch = watchSettings(
    file,
    () => loadSettings({ file, env: {}, flags: {}, plugins: [] }),
    settings => put(settings.id),
    error => put(error.code),
  )
  t.teardown(() => watch.close())
  return {
    watch,
    async next(): Promise<string> {
      while (reports.length === 0) await new Promise<void>(resolve => (wake = resolve))
      return reports.shift() ?? ''
    },
  }
}

t.test('a changed file is reported, an invalid one refused, and the next good one taken', async t => {
  const file = join(t.testdir({ 'isthmus.yaml': 'id: one\n' }), 'isthmus.yaml')
  const reports = follow(t, file)
  writeFileSync(file, 'id: two\n')
  t.equal(await reports.next(), 'two')
  writeFileSync(file, 'idd: three\n')
  t.equal(await reports.next(), 'settings-invalid')
  writeFileSync(`${file}.new`, 'id: four\n')
  renameSync(`${file}.new`, file)
  t.equal(await reports.next(), 'four')
  reports.watch.reload()
  t.equal(await reports.next(), 'four', 'SIGHUP reads it again, changed or not')
})

t.test('a ConfigMap swap of a link is noticed', async t => {
  const folder = t.testdir({ one: { 'isthmus.yaml': 'id: one\n' } })
  symlinkSync('one', join(folder, '..data'))
  symlinkSync('..data/isthmus.yaml', join(folder, 'isthmus.yaml'))
  const reports = follow(t, join(folder, 'isthmus.yaml'))
  mkdirSync(join(folder, 'two'))
  writeFileSync(join(folder, 'two', 'isthmus.yaml'), 'id: two\n')
  symlinkSync('two', join(folder, '..tmp'))
  renameSync(join(folder, '..tmp'), join(folder, '..data'))
  t.equal(await reports.next(), 'two')
})
