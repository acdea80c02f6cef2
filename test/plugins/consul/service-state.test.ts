import t from 'tap'
import { ServiceState } from '../../../plugins/consul/service-state.ts'
import type { Translation } from '../../../plugins/consul/translate.ts'
import { type Endpoint, makeEndpoint } from '../../../src/model/endpoint.ts'

const endpoint = (id: string, over: Partial<Endpoint> = {}): Endpoint => makeEndpoint({ id, address: '10.0.0.1', port: 80, ...over })

/** An answer with these instances, each of one endpoint. */
const answer = (...endpoints: readonly Endpoint[]): Translation => ({
  instances: new Map(endpoints.map(one => [one.id, [one]])),
  refusals: [],
  total: endpoints.length,
})
const many = (count: number, from = 0, over: Partial<Endpoint> = {}): Translation =>
  answer(...Array.from({ length: count }, (_, index) => endpoint(`i${from + index}`, over)))
const ids = (state: ServiceState): string[] => state.endpoints.map(one => one.id)

t.test('an authoritative answer replaces', async t => {
  const state = new ServiceState()
  t.equal(state.take(answer(endpoint('a'), endpoint('b')), true), true)
  t.equal(state.take(answer(endpoint('b'), endpoint('c')), true), true)
  t.same(ids(state), ['b', 'c'])
})

t.test('2.2 rule 5: an equal answer is no change, in whatever order; unchanged endpoints stay the same objects', async t => {
  const state = new ServiceState()
  state.take(answer(endpoint('a'), endpoint('b')), true)
  const before = state.endpoints
  t.equal(state.take(answer(endpoint('b'), endpoint('a')), true), false)
  t.equal(state.endpoints, before)
  t.equal(state.take(answer(endpoint('a'), endpoint('b', { weight: 7 }), endpoint('c')), true), true)
  t.equal(state.endpoints[0], before[0])
  t.not(state.endpoints[1], before[1])
})

t.test('2.2 rule 2: what is not authoritative adds and updates, and takes nothing away', async t => {
  const state = new ServiceState()
  state.take(answer(endpoint('a'), endpoint('b')), true)
  const partial = answer(endpoint('b', { health: 'unhealthy' }), endpoint('c'))
  t.equal(state.lacks(partial), true)
  t.equal(state.take(partial, false), true)
  t.match(state.endpoints, [{ id: 'a' }, { id: 'b', health: 'unhealthy' }, { id: 'c' }])
  t.equal(state.take(answer(), false), false, 'an empty one says nothing at all')
  t.equal(state.emptied, false)
  t.equal(state.lacks(answer(endpoint('a'), endpoint('b'), endpoint('c'))), false)
})

t.test('2.3: an empty answer makes everything suspect, and only the catalog makes it go', async t => {
  const state = new ServiceState()
  state.take(answer(endpoint('a', { reasons: [{ code: 'check-warning', text: 'warning' }] })), true)
  t.equal(state.take(answer(), true), true)
  t.equal(state.emptied, true)
  t.match(state.endpoints, [{ id: 'a', presence: 'suspect', reasons: [{ code: 'check-warning' }, { code: 'suspect-absence' }] }])
  t.equal(state.take(answer(), true), false, 'the same again is no change')
  t.equal(state.gone(), true)
  t.same(state.endpoints, [])
})

t.test('2.3: an instance that comes back is live again', async t => {
  const state = new ServiceState()
  state.take(answer(endpoint('a'), endpoint('b')), true)
  state.take(answer(), true)
  t.equal(state.take(answer(endpoint('a')), false), true)
  t.equal(state.emptied, false)
  t.match(
    state.endpoints,
    [
      { id: 'a', presence: 'live', reasons: [] },
      { id: 'b', presence: 'suspect' },
    ],
    'of the other the answer, not being authoritative, says nothing',
  )
})

t.test('an answer with nothing but unusable instances is not empty', async t => {
  const state = new ServiceState()
  state.take(answer(endpoint('a')), true)
  t.equal(state.take({ instances: new Map(), refusals: ['n/a: port 0'], total: 1 }, true), true)
  t.equal(state.emptied, false)
  t.same(state.endpoints, [])
  t.same(state.refusals, ['n/a: port 0'])
})

t.test('2.2 rule 8: what takes away all, or more than half of at least four, is to be confirmed', async t => {
  const rows: readonly [string, Translation, Translation, boolean][] = [
    ['three of four', many(4), many(1), true],
    ['half of four', many(4), many(2), false],
    ['two of three', many(3), many(1), false],
    ['all of one', many(1), many(0), true],
    ['all of four, replaced', many(4), many(4, 10), false],
    ['all of four, one replaced', many(4), many(1, 10), true],
    ['all, announced before', many(4, 0, { health: 'draining' }), many(0), false],
    ['three of four, unhealthy before', many(4, 0, { health: 'unhealthy' }), many(1), false],
    ['nothing known', many(0), many(0), false],
  ]
  for (const [title, before, after, shrinks] of rows) {
    const state = new ServiceState()
    state.take(before, true)
    t.equal(state.shrinks(after), shrinks, title)
  }
})
