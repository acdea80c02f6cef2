import t from 'tap'
import { isAlike } from './page.ts'
import { pageIsTrue } from './page-is-true.ts'

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

t.test('docs/migration.md: its commands print what it shows', t => pageIsTrue(t, 'docs/migration.md'))
