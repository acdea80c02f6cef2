import t from 'tap'
import { WriteBehind } from '../../src/state/write-behind.ts'
import { makeTestClock } from '../contract/test-clock.ts'

function rig(write: (enough: () => boolean) => boolean) {
  const clock = makeTestClock()
  const failures: unknown[] = []
  const writer = new WriteBehind({ clock, write, onFailure: error => failures.push(error) })
  /** Lets the row go on as far as it can after so much time. */
  const after = async (ms: number): Promise<void> => {
    await clock.untilSleeping()
    clock.advance(ms)
    await new Promise(resolve => setImmediate(resolve))
  }
  return { clock, writer, failures, after }
}

t.test('many changes are one write, a while later; without a change nothing is written', async t => {
  let writes = 0
  const { writer, after } = rig(() => {
    writes++
    return false
  })
  for (let change = 0; change < 100; change++) writer.due()
  t.equal(writes, 0)
  await after(999)
  t.equal(writes, 0)
  await after(1)
  t.equal(writes, 1)
  writer.due()
  await after(1000)
  t.equal(writes, 2)
  writer.stop()
  t.equal(writes, 3, 'what is left is written at the end')
  writer.stop()
  writer.due()
  t.equal(writes, 3)
})

t.test('much is written in slices, with nine times their length between them', async t => {
  let left = 10
  const { clock, writer, after } = rig(enough => {
    while (left > 0 && !enough()) {
      left--
      clock.advance(1)
    }
    return left > 0
  })
  writer.due()
  await after(1000)
  t.equal(left, 7)
  await after(26)
  t.equal(left, 7)
  await after(1)
  t.equal(left, 4)
  writer.stop()
  t.equal(left, 0, 'the end does not wait')
})

t.test('a failure is told once, tried again, and its end is told', async t => {
  let broken = true
  let writes = 0
  const { writer, failures, after } = rig(() => {
    if (broken) throw new Error('disk full')
    writes++
    return false
  })
  writer.due()
  await after(1000)
  await after(5000)
  t.match(failures, [{ message: 'disk full' }])
  broken = false
  await after(5000)
  t.equal(writes, 1)
  t.match(failures, [{ message: 'disk full' }, undefined])
  writer.stop()
})
