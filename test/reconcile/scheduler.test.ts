import t from 'tap'
import { defaultBounds, Scheduler } from '../../src/reconcile/scheduler.ts'
import type { Timers } from '../../src/reconcile/timers.ts'

/** Whatever waits for a promise goes on, as Node lets it between two timers. */
const promises = (): Promise<void> => new Promise(setImmediate)

/** Timers that fire only when the test advances time. */
function manualTimers(): Timers & { advance(ms: number): Promise<void>; spend(ms: number): void } {
  let now = 1000
  const tasks = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    after(ms, run) {
      const task = { at: now + ms, run }
      tasks.add(task)
      return () => tasks.delete(task)
    },
    spend(ms) {
      now += ms
    },
    async advance(ms) {
      now += ms
      for (const task of [...tasks].sort((a, b) => a.at - b.at)) {
        if (task.at > now || !tasks.delete(task)) continue
        task.run()
        await promises()
      }
    },
  }
}

/** `steps`: of a structure flush, 3 ms each. */
function scheduled(steps = 0) {
  const timers = manualTimers()
  const flushed: string[] = []
  const scheduler = new Scheduler(timers, defaultBounds, {
    endpoints: () => flushed.push('endpoints'),
    *structure() {
      for (let step = 0; step < steps; step++) {
        timers.spend(3)
        flushed.push(`step ${String(step)}`)
        yield
      }
      flushed.push('structure')
    },
  })
  return { timers, flushed, scheduler }
}

t.test('a lone endpoint change goes out in the next turn, no debounce', async t => {
  const { timers, flushed, scheduler } = scheduled()
  scheduler.endpointsChanged()
  scheduler.endpointsChanged()
  t.same(flushed, [], 'never inside the change itself')
  await timers.advance(0)
  t.same(flushed, ['endpoints'])
})

t.test('endpoint changes right after a flush are merged for a few ms', async t => {
  const { timers, flushed, scheduler } = scheduled()
  scheduler.endpointsChanged()
  await timers.advance(0)
  await timers.advance(1)
  scheduler.endpointsChanged()
  await timers.advance(1)
  scheduler.endpointsChanged()
  t.same(flushed, ['endpoints'])
  await timers.advance(3)
  t.same(flushed, ['endpoints', 'endpoints'])
})

t.test('structure waits for a quiet time, at most its cap', async t => {
  const { timers, flushed, scheduler } = scheduled()
  for (let i = 0; i < 33; i++) {
    scheduler.structureChanged()
    await timers.advance(defaultBounds.structureQuietMs - 5)
  }
  t.same(flushed, [], 'changes every 15 ms keep it waiting')
  scheduler.structureChanged()
  await timers.advance(5)
  t.same(flushed, ['structure'], '500 ms after the first one')
})

t.test('stop cancels what is pending', async t => {
  const { timers, flushed, scheduler } = scheduled()
  scheduler.endpointsChanged()
  scheduler.structureChanged()
  scheduler.stop()
  await timers.advance(1000)
  t.same(flushed, [])
})

t.test('stop ends a flush that is under way at its next slice', async t => {
  const { timers, flushed, scheduler } = scheduled(5)
  const done = scheduler.flushStructureNow()
  await promises()
  scheduler.stop()
  await timers.advance(0)
  await done
  t.same(flushed, ['step 0', 'step 1'])
})

t.test('a long structure flush is cut: endpoints have their turn between the slices', async t => {
  const { timers, flushed, scheduler } = scheduled(5)
  const done = scheduler.flushStructureNow()
  await promises()
  t.same(flushed, ['step 0', 'step 1'], 'the first slice, at once')
  scheduler.endpointsChanged()
  await timers.advance(0)
  t.same(flushed.slice(2), ['step 2', 'step 3', 'endpoints'])
  await timers.advance(0)
  t.same(flushed.slice(5), ['step 4', 'structure'])
  await done
})

t.test('what changes while a flush is under way is flushed after it; nothing changed, nothing is flushed', async t => {
  const { timers, flushed, scheduler } = scheduled(2)
  const first = scheduler.flushStructureNow()
  scheduler.structureChanged()
  const second = scheduler.flushStructureNow()
  await promises()
  await timers.advance(0)
  await first
  t.equal(flushed.filter(one => one === 'structure').length, 1)
  for (let turn = 0; turn < 5; turn++) await timers.advance(0)
  await second
  t.equal(flushed.filter(one => one === 'structure').length, 2)
  await scheduler.flushStructureNow()
  t.equal(flushed.filter(one => one === 'structure').length, 2)
})
