import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../tools/repository.ts'
import { isAlike, shapeOf, stepsOf } from './page.ts'
import { runPage } from './run-page.ts'

/** Issue, "Done means": every command of the guide is run as written, and its output is what the page shows. */

t.setTimeout(170_000)

t.test('what is compared differs when something else is said', async t => {
  const line = '127.0.0.1:4180  -  healthy  yes  dc1  100  -  4s  -\n'
  t.ok(isAlike(line, '127.0.0.1:9999 - healthy yes dc1 100 - 61s -\n'), 'ports, ages and columns may differ')
  for (const other of ['', line + line, line.replace('healthy', 'suspect'), line.replace('dc1', 'vms'), line.replace('100', '50')])
    t.notOk(isAlike(line, other), JSON.stringify(other))
  const shares = '  120 "instance":"consul\n   80 "instance":"vm\n'
  t.ok(isAlike(shares, '  110 "instance":"consul\n   90 "instance":"vm\n'))
  t.notOk(isAlike(shares, '  150 "instance":"consul\n   50 "instance":"vm\n'), 'a share that is another one')
  t.notOk(isAlike(shares, '  120 "instance":"consul\n   80 "instance":"pod\n'))
  t.notOk(isAlike(shares, '  120 "instance":"consul\n'))
})

t.test('docs/migration.md: its commands print what it shows', async t => {
  const page = await readFile(join(repository, 'docs/migration.md'), 'utf8')
  const steps = stepsOf(page)
  let ran = steps.filter(step => step.how === 'demo').length
  for await (const { step, output } of runPage(t, page)) {
    ran++
    const what = `docs/migration.md:${step.line}`
    if (isAlike(step.output ?? '', output)) t.pass(what)
    else t.same(shapeOf(output), shapeOf(step.output ?? ''), what)
  }
  t.equal(ran, steps.length)
  t.ok(steps.length > 20 && steps.every(step => step.output?.trim() !== ''), 'nothing is left out')
})
