import t from 'tap'
import { type FileResult, summaryLine, TapReport, totalOf } from './tap-report.ts'

function read(text: string): FileResult[] {
  const results: FileResult[] = []
  const report = new TapReport(result => results.push(result))
  for (const line of text.split('\n')) report.line(line)
  return results
}

t.test('test cases of a file are counted, not their assertions', t => {
  const results = read(`TAP version 14
1..2
# Subtest: test/a.test.ts
    # Subtest: one
        ok 1 - should be equal
        # Subtest: inner
            not ok 1 - should be equal
              ---
              diff: |
                -2
              ...
        not ok 2 - inner # time=25.059ms
        1..2
    not ok 1 - one # time=34.772ms
    ok 2 - two # SKIP not here
    ok 3 - three # TODO
    not ok 4 - four # TODO
    ok 5 - direct
    printed ok 7
    1..5
not ok 1 - test/a.test.ts # time=48.776ms
  ---
  exitCode: 1
  ...

# Subtest: test/b.test.ts
    ok 1 - it # time=1ms
    1..1
ok 2 - test/b.test.ts # time=43.533ms

# { total: 10, pass: 4, fail: 3, todo: 1, skip: 2 }`)
  t.match(results, [
    { file: 'test/a.test.ts', passed: 1, failed: 1, skipped: 3 },
    { file: 'test/b.test.ts', passed: 1, failed: 0, skipped: 0, details: [] },
  ])
  const details = results[0]?.details.join('\n') ?? ''
  t.match(details, /not ok 1 - should be equal[^]*diff: \|\n\s*-2/)
  t.notMatch(details, /^ *ok /m)
  t.same(totalOf(results), { passed: 2, failed: 1, skipped: 3 })
  t.end()
})

t.test('a file that crashes counts as one failure, one without tests as skipped', t => {
  const results = read(`# Subtest: test/crash.test.ts
    1..0 # no tests found
not ok 1 - test/crash.test.ts # time=462.871ms
# Subtest: test/empty.test.ts
    1..0 # no tests found
ok 2 - test/empty.test.ts # SKIP no tests found`)
  t.match(results, [
    { file: 'test/crash.test.ts', passed: 0, failed: 1, skipped: 0 },
    { file: 'test/empty.test.ts', passed: 0, failed: 0, skipped: 1 },
  ])
  t.end()
})

t.test('a # in a test name is not a directive unless it says skip or todo', t => {
  t.match(read('# Subtest: x\n    ok 1 - issue # 12 is fixed\nok 1 - x'), [{ passed: 1, skipped: 0 }])
  t.end()
})

t.test('the summary names skipped tests only when there are some', t => {
  t.equal(summaryLine({ passed: 3, failed: 0, skipped: 0 }), '3 passed, 0 failed')
  t.equal(summaryLine({ passed: 3, failed: 1, skipped: 2 }), '3 passed, 1 failed, 2 skipped')
  t.end()
})
