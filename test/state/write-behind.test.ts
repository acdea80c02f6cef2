import t from 'tap'
import { WriteBehind } from '../../src/state/write-behind.ts'
import { makeTestClock } from '../contract/test-clock.ts'

function rig(write: (enough: () => boolean) => boolean | Promise<boolean>) {
  const clock = makeTestClock()
  const failures: unknown[] = []
  const writer = new WriteBehind({ clock, write: async enough => write(enough), onFailure: error => failures.push(error), delayMs: 1000 })
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
  writer.due()
  await writer.stop()
  t.equal(writes, 3, 'what is left is written at the end')
  await writer.stop()
  writer.due()
  t.equal(writes, 3)
  const idle = rig(() => t.fail('nothing was due'))
  await idle.writer.stop()
})

t.test('much is collected in slices, with four times their length between them', async t => {
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
  await after(11)
  t.equal(left, 7)
  await after(1)
  t.equal(left, 4)
  await writer.stop()
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
  await writer.stop()
})

t.test('what becomes due while a write is under way is written after it, and who asks for it waits for both', async t => {
  const ends: ((isMore: boolean) => void)[] = []
  const { writer, after } = rig(() => new Promise<boolean>(resolve => ends.push(resolve)))
  const turn = () => new Promise(resolve => setImmediate(resolve))
  writer.due()
  await after(1000)
  t.equal(ends.length, 1)
  writer.due()
  let isFlushed = false
  const flushed = writer.flush().then(() => (isFlushed = true))
  await turn()
  t.equal(ends.length, 1, 'one at a time')
  ends[0]?.(false)
  await turn()
  t.equal(ends.length, 2)
  t.notOk(isFlushed)
  ends[1]?.(false)
  await flushed
  await writer.stop()
  t.equal(ends.length, 2)
})

t.test('who asks for what cannot be written is told why', async t => {
  const { writer, failures } = rig(() => {
    throw new Error('disk full')
  })
  await t.rejects(writer.flush(), { message: 'disk full' })
  t.match(failures, [{ message: 'disk full' }])
  await writer.stop()
})
