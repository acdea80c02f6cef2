import fc from 'fast-check'
import t from 'tap'
import { shareConnections } from '../../../plugins/consul/connections.ts'
import { RateFloor } from '../../../plugins/consul/rate-floor.ts'
import { Turns } from '../../../plugins/consul/turns.ts'

t.test('a burst goes at once, then the rate holds, and rest fills the bucket again (rule 7)', async t => {
  const floor = new RateFloor(2, 10)
  t.same([floor.take(0), floor.take(0), floor.take(0), floor.take(0)], [0, 0, 100, 200])
  t.equal(floor.take(10_000), 0)
  t.equal(floor.take(10_000), 0)
  t.equal(floor.take(10_000), 100, 'never more than the burst')
})

t.test('whatever the times, no span has more uses than burst plus rate', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 60 }), gaps => {
      const floor = new RateFloor(2, 10)
      let now = 0
      const uses = gaps.map(gap => (now += gap) + floor.take(now))
      return uses.every((from, first) =>
        uses.every((to, last) => last < first || last - first + 1 <= 2 + Math.floor((Math.max(0, to - from) + 1e-6) / 100) + 1),
      )
    }),
  )
})

t.test('turns: never more at once, all come, one that throws passes its turn on', async t => {
  const turns = new Turns(2)
  let running = 0
  let most = 0
  const work = (at: number) =>
    turns.run(async () => {
      most = Math.max(most, ++running)
      await new Promise(resolve => setImmediate(resolve))
      running--
      if (at % 2 === 0) throw new Error(`work ${String(at)}`)
      return at
    })
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5].map(work))
  t.same(
    results.map(result => result.status),
    ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  )
  t.equal(most, 2)
})

t.test('connections are never more than allowed, and polling never starves (2.8)', async t => {
  t.same(shareConnections(128, 127), { followed: 127, polls: 0 })
  t.same(shareConnections(128, 128), { followed: 123, polls: 4 })
  t.same(shareConnections(2, 1), { followed: 1, polls: 0 })
  t.same(shareConnections(2, 5), { followed: 0, polls: 1 })
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(1000), (max, services) => {
      const { followed, polls } = shareConnections(max, services)
      return followed + polls + 1 <= max && followed >= 0 && (services <= followed || polls > 0)
    }),
  )
})
