import t from 'tap'
import type { Clock } from '../../src/discovery/contract.ts'
import { connections, drain } from '../../src/envoy/drain.ts'

function stats(active: number, total: number): string {
  return JSON.stringify({
    stats: [
      { name: 'listener.0.0.0.0_8080.downstream_cx_active', value: active },
      { name: 'listener.0.0.0.0_8080.worker_0.downstream_cx_active', value: active },
      { name: 'listener.0.0.0.0_8080.downstream_cx_total', value: total },
      { name: 'listener.admin.downstream_cx_active', value: 1 },
      { name: 'listener.admin.downstream_cx_total', value: 99 },
      { name: 'listener.isthmus_ready.downstream_cx_total', value: 98 },
      { histograms: {} },
    ],
  })
}

/** Drains an Envoy whose polls answer `answers`, the last one for ever; time passes only in sleeps. */
async function drained(answers: string[], seconds: number, gone = new AbortController()) {
  let now = 1000
  const clock: Clock = { now: () => now, wall: () => now, sleep: async ms => void (now += ms) }
  const calls: string[] = []
  const admin = async (method: string, path: string) => {
    calls.push(`${method} ${path.split('?')[0] ?? ''}`)
    return method === 'POST' ? 'OK' : ((answers.length > 1 ? answers.shift() : answers[0]) ?? '')
  }
  await drain({ admin, clock, seconds, quietSeconds: 1, gone: gone.signal })
  return { calls, ms: now - 1000 }
}

t.test('connections are counted once, without those of the admin page and of /ready', async t => {
  t.same(connections(stats(2, 7)), { active: 2, total: 7 })
})

t.test('health fails first, then connections are ended while new ones are still taken', async t => {
  const { calls } = await drained([stats(0, 0)], 30)
  t.same(calls.slice(0, 3), ['POST /healthcheck/fail', 'POST /drain_listeners', 'GET /stats'])
})

t.test('it is over when nobody is connected and nobody came for a second', async t => {
  t.equal((await drained([stats(0, 5)], 30)).ms, 1000)
  t.equal((await drained([stats(3, 5), stats(1, 5), stats(0, 5)], 30)).ms, 1250)
  t.equal((await drained([stats(0, 5), stats(0, 5), stats(0, 6), stats(0, 6)], 30)).ms, 1500, 'a short connection between two polls')
})

t.test('connections that stay do not hold it up beyond its time', async t => {
  t.equal((await drained([stats(1, 1)], 5)).ms, 5000)
})

t.test('it ends at once when Envoy is gone', async t => {
  const gone = new AbortController()
  gone.abort()
  t.equal((await drained([stats(1, 1)], 5, gone)).ms, 0)
})
