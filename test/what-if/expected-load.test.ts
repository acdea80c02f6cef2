import fc from 'fast-check'
import t from 'tap'
import { expectedLoad, type LoadGiven, type LoadHost } from '../../src/what-if/expected-load.ts'

/** Envoy's docs: "Priority levels", "Degraded endpoints", "Panic threshold", "Locality weighted load balancing". */

/** `a* b~ c! d-`: healthy, degraded, unhealthy, excluded; a number behind it is the weight. */
function hosts(text: string): readonly LoadHost[] {
  const states = { '*': 'healthy', '~': 'degraded', '!': 'unhealthy', '-': 'excluded' } as const
  return text.split(' ').map(word => {
    const [, key = '', mark = '*', weight = ''] = /^(\w)([*~!-])(\d*)$/.exec(word) ?? []
    return { key, state: states[mark as keyof typeof states], weight: Number(weight || 100) }
  })
}

function load(priorities: readonly (readonly [string, ...string[]])[], given: Partial<LoadGiven> = {}, weights: readonly number[] = []) {
  const made = priorities.map(localities => localities.map((text, index) => ({ weight: weights[index] ?? 1, hosts: hosts(text) })))
  const found = expectedLoad({ priorities: made, overprovisioning: 140, panicThreshold: 0, localityWeighted: false, ...given })
  return Object.fromEntries([...found].filter(([, share]) => share > 0).map(([key, share]) => [key, Math.round(share * 1000) / 10]))
}

t.test('requests go where Envoy would send them', async t => {
  t.same(load([['a* b*']]), { a: 50, b: 50 })
  t.same(load([['a*300 b*100']]), { a: 75, b: 25 }, 'by weight')
  t.same(load([['a* b! c-']]), { a: 100 }, 'not to unhealthy and draining ones')
  t.same(load([['a* b!'], ['c*']]), { a: 70, c: 30 }, 'the next priority helps out below 72 % healthy')
  t.same(load([['a* b! c!'], ['d* e!']]), { a: 46, d: 54 }, 'whole percents: 46 of 100, then the rest')
  t.same(load([['a* b! c! d!'], ['e* f! g! h!']]), { a: 50, e: 50 }, 'what both lack is shared out')
  t.same(load([['a* b-'], ['c*']]), { a: 100 }, 'draining ones do not count as missing')
  t.same(load([['a! b!'], ['c*']]), { c: 100 })
  t.same(load([['a* b~']]), { a: 70, b: 30 }, 'degraded ones take what healthy ones cannot')
  t.same(load([['a* b*'], ['c~']]), { a: 50, b: 50 })
  t.same(load([['a! b~'], ['c*']]), { c: 100 }, 'healthy ones of a later priority go before degraded ones')
  t.same(load([['a! b!']]), {}, 'nobody: no share, not 100 % of nothing')
  t.same(load([['a! b! c*']], { panicThreshold: 50 }), { a: 33.3, b: 33.3, c: 33.3 }, 'in panic all alike')
  t.same(load([['a! b! c*'], ['d* e*']], { panicThreshold: 50 }), { c: 46, d: 27, e: 27 }, 'no panic while another priority can help out')
  t.same(load([['a!'], ['b! c!']], { panicThreshold: 50 }), { a: 33.3, b: 33.3, c: 33.3 }, 'all in panic: by the number of hosts')
})

t.test('shares of localities hold whatever the number of hosts, and move when one has none', async t => {
  const weighted = { localityWeighted: true, overprovisioning: 100_000 }
  t.same(load([['a* b* c*', 'd*']], weighted, [80, 20]), { a: 26.7, b: 26.7, c: 26.7, d: 20 })
  t.same(load([['a* b! c!', 'd*']], weighted, [80, 20]), { a: 80, d: 20 }, 'one in three is enough')
  t.same(load([['a! b!', 'd*']], weighted, [80, 20]), { d: 100 })
  t.same(load([['a* b!', 'd*']], { localityWeighted: true }, [50, 50]), { a: 41.2, d: 58.8 }, 'with 140 a half-empty locality gets less')
})

t.test('shares add up to one, or there is nobody', async () => {
  const host = fc.record({
    key: fc.constant(''),
    state: fc.constantFrom('healthy', 'degraded', 'unhealthy', 'excluded'),
    weight: fc.integer({ min: 1, max: 200 }),
  })
  const locality = fc.record({ weight: fc.integer({ min: 1, max: 100 }), hosts: fc.array(host, { minLength: 1, maxLength: 4 }) })
  const priorities = fc.array(fc.array(locality, { minLength: 1, maxLength: 3 }), { maxLength: 3 })
  fc.assert(
    fc.property(
      priorities,
      fc.constantFrom(100, 140, 100_000),
      fc.constantFrom(0, 50, 100),
      fc.boolean(),
      (made, overprovisioning, panicThreshold, localityWeighted) => {
        let count = 0
        const named = made.map(list => list.map(one => ({ ...one, hosts: one.hosts.map(item => ({ ...item, key: String(count++) })) })))
        const load = expectedLoad({ priorities: named, overprovisioning, panicThreshold, localityWeighted })
        const sum = [...load.values()].reduce((total, share) => total + share, 0)
        const usable = named
          .flat()
          .flatMap(one => one.hosts)
          .filter(one => one.state === 'healthy' || one.state === 'degraded')
        return usable.length > 0 ? Math.abs(sum - 1) < 1e-9 : panicThreshold > 0 || sum === 0
      },
    ),
    { numRuns: 500 },
  )
})
