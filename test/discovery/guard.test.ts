import fc from 'fast-check'
import t from 'tap'
import { SourceGuard } from '../../src/discovery/guard.ts'
import { guardBounds } from '../../src/discovery/guard-bounds.ts'
import type { RemovalCause } from '../../src/discovery/contract.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { isHeld } from '../../src/model/held.ts'
import type { Health } from '../../src/model/health.ts'
import type { SourceGuards } from '../../src/model/pool-rule.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'

const dc1 = { name: 'dc1', type: 'consul' }

/** A guard before a real table. A service's endpoints are numbers; `3h` in what is served stands for one that is held. */
function rig(guards: SourceGuards = {}) {
  const table = new EndpointTable(() => undefined)
  const guard = new SourceGuard({ source: 'dc1', table, random: () => 0.5, boundsOf: () => guardBounds(guards) })
  let now = 0
  const put = (groups: readonly EndpointGroup[]): void => table.apply(dc1, groups, 0)
  const group = (id: string, service: ServiceKey, numbers: readonly number[], health: Health = 'healthy'): EndpointGroup => ({
    id,
    service,
    endpoints: numbers.map(number => makeEndpoint({ address: `10.0.0.${String(number)}`, port: 80, id: String(number), health })),
  })
  const emit = (cause: RemovalCause, ...groups: EndpointGroup[]): void => put(guard.pass(groups, cause, now))
  return {
    table,
    guard,
    group,
    emit,
    say: (name: string, numbers: readonly number[], cause: RemovalCause = 'absent', health?: Health) =>
      emit(cause, group(name, serviceKey('shop', name), numbers, health)),
    served(name: string): string {
      const endpoints = table.pool(serviceKey('shop', name))?.endpoints ?? []
      return endpoints.map(({ address, winner }) => `${address.slice(7)}${isHeld(winner.endpoint) ? 'h' : ''}`).join(' ')
    },
    wait: (seconds: number) => void (now += seconds * 1000),
    /** What the timer does. */
    tick(): boolean {
      const { released, reread } = guard.due(now)
      put(released)
      return reread
    },
    /** A read that begins and ends now, and still lacks what is held. */
    confirm: () => put(guard.confirmed(now)),
    release: () => put(guard.release()),
    get now() {
      return now
    },
  }
}

t.test('empty guard: nothing where there was something is held 30 s, read again, then believed (discovery.md 5.3)', t => {
  const one = rig()
  one.say('web', [1, 2])
  one.say('web', [])
  t.equal(one.served('web'), '1h 2h')
  t.match(one.guard.holds(one.now), [
    { service: 'shop/web', rule: 'empty', endpoints: 2, heldSeconds: 0, confirmInSeconds: 30, releaseInSeconds: 900 },
  ])
  one.wait(29)
  t.notOk(one.tick())
  one.confirm()
  t.equal(one.served('web'), '1h 2h', 'a read that came too early confirms nothing')
  one.wait(1)
  t.ok(one.tick(), 'the source is to be read anew')
  t.notOk(one.tick(), 'once')
  one.confirm()
  t.equal(one.served('web'), '')
  t.same([one.guard.held, one.guard.nextAt], [0, Infinity])
  one.say('web', [3])
  t.equal(one.served('web'), '3')
  t.end()
})

t.test('what was witnessed passes at once, and lowers what later losses are measured by (discovery.md 5.3, 5.4)', t => {
  const one = rig()
  one.say('web', [1, 2, 3, 4, 5, 6, 7, 8])
  one.say('web', [1, 2, 3, 4], 'explicit')
  t.equal(one.served('web'), '1 2 3 4')
  one.say('web', [1, 2])
  t.equal(one.served('web'), '1 2', 'half of four is not more than half')
  one.say('web', [], 'explicit')
  t.equal(one.served('web'), '')
  t.equal(one.guard.held, 0)

  const drained = rig()
  drained.say('web', [1, 2, 3, 4, 5])
  drained.say('web', [1, 2, 3, 4, 5], 'absent', 'draining')
  drained.say('web', [])
  t.equal(drained.served('web'), '', 'draining says goodbye')
  t.end()
})

t.test('shrink guard: more than half of at least four, net of what comes in their place, also in small steps (discovery.md 5.4)', t => {
  const table: [string, steps: number[][], served: string][] = [
    [
      'half',
      [
        [1, 2, 3, 4],
        [1, 2],
      ],
      '1 2',
    ],
    ['more than half', [[1, 2, 3, 4], [1]], '1 2h 3h 4h'],
    ['of three', [[1, 2, 3], [1]], '1'],
    [
      'replaced',
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
      '5 6 7 8',
    ],
    [
      'mostly replaced',
      [
        [1, 2, 3, 4],
        [5, 6],
      ],
      '5 6',
    ],
    [
      'replaced before',
      [
        [1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6, 7, 8],
        [5, 6, 7, 8],
      ],
      '5 6 7 8',
    ],
    [
      'step by step',
      [
        [1, 2, 3, 4, 5, 6],
        [1, 2, 3, 4, 5],
        [1, 2, 3],
        [1, 2],
      ],
      '1 2 3h',
    ],
    ['and back', [[1, 2, 3, 4], [1], [1, 2, 3]], '1 2 3 4h'],
  ]
  for (const [name, steps, served] of table) {
    const one = rig()
    for (const step of steps) one.say('web', step)
    t.equal(one.served('web'), served, name)
  }
  const slow = rig()
  slow.say('web', [1, 2, 3, 4])
  slow.say('web', [1, 2])
  slow.wait(61)
  slow.say('web', [1])
  t.equal(slow.served('web'), '1', 'what lies a minute back is another matter')
  t.end()
})

t.test('a confirming read lets go of 15 % at most; the operator, or 15 minutes, of all (discovery.md 5.4)', t => {
  const many = Array.from({ length: 20 }, (_, index) => index + 10)
  const shrunk = (guards?: SourceGuards) => {
    const one = rig(guards)
    one.say('web', many)
    one.say('web', [10])
    t.equal(one.guard.held, 19)
    return one
  }
  const read = shrunk()
  for (const left of [16, 13, 10]) {
    read.wait(30)
    t.ok(read.tick())
    read.confirm()
    t.equal(read.guard.held, left)
  }
  const told = shrunk()
  told.release()
  t.equal(told.served('web'), '10')
  told.say('web', [])
  t.equal(told.served('web'), '10h', 'the guard goes on')

  const left = shrunk()
  left.wait(899)
  left.tick()
  t.equal(left.guard.held, 19)
  left.wait(1)
  left.tick()
  t.equal(left.served('web'), '10')
  t.end()
})

t.test('a fifth of a source that goes at once is held, however little it is of each service', t => {
  const one = rig()
  const names = Array.from({ length: 10 }, (_, index) => `s${String(index)}`)
  for (const name of names) one.say(name, [1, 2])
  one.emit('absent', ...names.slice(0, 5).map(name => one.group(name, serviceKey('shop', name), [1])))
  t.equal(one.served('s0'), '1 2h')
  t.equal(one.guard.held, 5)
  t.end()
})

t.test('slices of one service that are cut anew at once lose nothing; a group that moves takes nothing along', t => {
  const web = serviceKey('shop', 'web')
  const api = serviceKey('shop', 'api')
  const one = rig()
  one.emit('absent', one.group('a', web, [1, 2, 3, 4]))
  one.emit('absent', one.group('a', web, []), one.group('b', web, [1, 2, 3, 4]))
  t.equal(one.served('web'), '1 2 3 4')
  t.equal(one.guard.held, 0)
  one.emit('absent', one.group('b', web, []))
  t.equal(one.served('web'), '1h 2h 3h 4h')
  one.emit('absent', one.group('b', api, [9]))
  t.equal(one.served('api'), '9')
  t.equal(one.served('web'), '')
  t.equal(one.guard.held, 0)
  t.end()
})

t.test('with its switch off, or bounds of 0, it holds nothing', t => {
  for (const guards of [{ enabled: false }, { emptyHoldSeconds: 0, shrinkHoldSeconds: 0 }]) {
    const one = rig(guards)
    one.say('web', [1, 2, 3, 4, 5])
    one.say('web', [1])
    t.equal(one.served('web'), '1')
    one.say('web', [])
    t.equal(one.served('web'), '')
  }
  t.end()
})

t.test('whatever a source says, in whatever order: what it says is served, what it loses is held or was let go for a reason', t => {
  const name = fc.constantFrom('a', 'b')
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 9 })
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('say' as const),
        name,
        numbers,
        cause: fc.constantFrom<RemovalCause[]>('absent', 'explicit'),
      }),
    },
    fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 0, max: 100 }) }),
    fc.record({ do: fc.constant('confirm' as const) }),
    fc.record({ do: fc.constant('release' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const one = rig()
      const said = new Map<string, Set<number>>()
      /** The slow, obvious rule: a held endpoint was named once, is not named now, and is at most 15 minutes old. */
      const heldSince = new Map<string, number>()
      for (const action of steps) {
        if (action.do === 'say') {
          one.say(action.name, action.numbers, action.cause)
          said.set(action.name, new Set(action.numbers))
        } else if (action.do === 'wait') {
          one.wait(action.seconds)
          one.tick()
        } else if (action.do === 'confirm') one.confirm()
        else one.release()
        let held = 0
        for (const service of ['a', 'b']) {
          const served = one
            .served(service)
            .split(' ')
            .filter(text => text !== '')
          const live = served.filter(text => !text.endsWith('h')).map(Number)
          const kept = served.filter(text => text.endsWith('h'))
          held += kept.length
          // Nothing that is said is missing, changed or doubled, and nothing is live that is not said.
          if (live.toSorted().join() !== [...(said.get(service) ?? [])].toSorted().join()) return false
          for (const text of kept) {
            const key = `${service} ${text}`
            const since = heldSince.get(key) ?? one.now
            heldSince.set(key, since)
            if (one.now - since > 900_000) return false
          }
          for (const key of [...heldSince.keys()]) if (key.startsWith(service) && !kept.includes(key.slice(2))) heldSince.delete(key)
          // All at once and unwitnessed: never an empty service.
          if (action.do === 'say' && action.name === service && action.numbers.length === 0 && action.cause === 'absent') {
            if (one.guard.holds(one.now).every(hold => hold.service !== `shop/${service}`) && served.length > 0) return false
          }
        }
        if (held !== one.guard.held) return false
        if ((held === 0) !== (one.guard.nextAt === Infinity)) return false
      }
      return true
    }),
    { numRuns: 500 },
  )
  t.end()
})
