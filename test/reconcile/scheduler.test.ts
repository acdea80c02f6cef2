import t from 'tap'
import { defaultBounds, Scheduler, type Timers } from '../../src/reconcile/scheduler.ts'

/** Timers that fire only when the test advances time. */
function manualTimers(): Timers & { advance(ms: number): void } {
  let now = 1000
  const tasks = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    after(ms, run) {
      const task = { at: now + ms, run }
      tasks.add(task)
      return () => tasks.delete(task)
    },
    advance(ms) {
      now += ms
      for (const task of [...tasks].sort((a, b) => a.at - b.at)) {
        if (task.at > now || !tasks.delete(task)) continue
        task.run()
      }
    },
  }
}

function scheduled() {
  const timers = manualTimers()
  const flushed: string[] = []
  const scheduler = new Scheduler(timers, defaultBounds, {
    endpoints: () => flushed.push('endpoints'),
    structure: () => flushed.push('structure'),
  })
  return { timers, flushed, scheduler }
}

t.test('a lone endpoint change goes out in the next turn, no debounce', async t => {
  const { timers, flushed, scheduler } = scheduled()
  scheduler.endpointsChanged()
  scheduler.endpointsChanged()
  t.same(flushed, [], 'never inside the change itself')
  timers.advance(0)
  t.same(flushed, ['endpoints'])
})

t.test('endpoint changes right after a flush are merged for a few ms', async t => {
  const { timers, flushed, scheduler } = scheduled()
  scheduler.endpointsChanged()
  timers.advance(0)
  timers.advance(1)
  scheduler.endpointsChanged()
  timers.advance(1)
  scheduler.endpointsChanged()
  t.same(flushed, ['endpoints'])
  timers.advance(3)
  t.same(flushed, ['endpoints', 'endpoints'])
})

t.test('structure waits for a quiet time, at most its cap', async t => {
  const { timers, flushed, scheduler } = scheduled()
  for (let i = 0; i < 11; i++) {
    scheduler.structureChanged()
    timers.advance(45)
  }
  t.same(flushed, [], 'changes every 45 ms keep it waiting')
  scheduler.structureChanged()
  timers.advance(5)
  t.same(flushed, ['structure'], '500 ms after the first one')
})

t.test('stop cancels what is pending', async t => {
  const { timers, flushed, scheduler } = scheduled()
  scheduler.endpointsChanged()
  scheduler.structureChanged()
  scheduler.stop()
  timers.advance(1000)
  t.same(flushed, [])
})
