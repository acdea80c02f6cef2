import fc from 'fast-check'
import t from 'tap'
import { AclBaseline } from '../../../plugins/consul/acl-baseline.ts'
import { ServiceState } from '../../../plugins/consul/service-state.ts'
import type { Translation } from '../../../plugins/consul/translate.ts'
import { makeEndpoint } from '../../../src/model/endpoint.ts'

type Weights = Readonly<Record<string, number>>

/** Answers: which of nine instances with which weight, and whether the answer is authoritative. */
const answers = fc.array(
  fc.record({
    weights: fc.dictionary(fc.constantFrom('1', '2', '3', '4', '5', '6', '7', '8', '9'), fc.integer({ min: 1, max: 3 }), { maxKeys: 9 }),
    authoritative: fc.boolean(),
  }),
)

function translation(weights: Weights): Translation {
  const instances = new Map(
    Object.entries(weights).map(([id, weight]) => [id, [makeEndpoint({ id, address: `10.0.0.${id}`, port: 80, weight })]]),
  )
  return { instances, refusals: [], total: instances.size }
}

t.test('whatever comes: not authoritative never takes away, authoritative and not empty is the truth (2.2 rule 2, 2.3)', t => {
  fc.assert(
    fc.property(answers, list => {
      const state = new ServiceState()
      return list.every(({ weights, authoritative }) => {
        const before = state.endpoints.map(one => one.id)
        state.take(translation(weights), authoritative)
        const now = new Set(state.endpoints.map(one => one.id))
        const listed = Object.keys(weights)
        const mayTakeAway = authoritative && listed.length > 0
        return listed.every(id => now.has(id)) && (mayTakeAway ? now.size === listed.length : before.every(id => now.has(id)))
      })
    }),
  )
  t.end()
})

t.test('whatever comes: what does not change keeps its identity, and the same answer again is no change', t => {
  fc.assert(
    fc.property(answers, list => {
      const state = new ServiceState()
      return list.every(({ weights, authoritative }) => {
        const former = state.endpoints
        const changed = state.take(translation(weights), authoritative)
        const old = new Map(former.map(one => [one.id, one]))
        const kept = state.endpoints.every(one => {
          const before = old.get(one.id)
          return before === undefined || before === one || before.weight !== one.weight || before.presence !== one.presence
        })
        return kept && changed === (former !== state.endpoints) && !state.take(translation(weights), authoritative)
      })
    }),
  )
  t.end()
})

t.test('instances that are all left out are gone without any doubt: the service is there', t => {
  const state = new ServiceState()
  state.take(translation({ 1: 1 }), true)
  t.equal(state.take({ instances: new Map(), refusals: [], total: 1 }, true), true)
  t.same(state.endpoints, [])
  t.equal(state.emptied, false)
  t.end()
})

t.test('a token that never saw everything is believed for what it sees; one that suddenly sees less is not (2.2 rule 2)', t => {
  const always = new AclBaseline()
  t.equal(always.judge(['acl-filtered']), true)
  t.equal(always.filtered, true)
  t.equal(always.judge(['acl-filtered', 'no-leader']), false)
  t.equal(always.judge([]), true)
  t.equal(always.filtered, false)
  t.equal(always.judge(['acl-filtered']), false, 'it saw everything meanwhile')
  const suddenly = new AclBaseline()
  t.equal(suddenly.judge([]), true)
  t.equal(suddenly.judge(['acl-filtered']), false)
  t.equal(suddenly.judge(['acl-filtered']), false)
  t.equal(suddenly.judge(['stale-server']), false)
  t.end()
})
