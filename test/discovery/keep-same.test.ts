import fc from 'fast-check'
import t from 'tap'
import { keepSame } from '../../src/discovery/keep-same.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { serviceKey } from '../../src/model/service-key.ts'

const group = fc.record({
  id: fc.constant('g'),
  service: fc.constantFrom(serviceKey('default', 'web'), serviceKey('default', 'api')),
  endpoints: fc.array(
    fc
      .record({ last: fc.nat(4), weight: fc.constantFrom(1, 2), id: fc.constantFrom('a', 'b') })
      .map(({ last, weight, id }) => makeEndpoint({ address: `10.0.0.${String(last)}`, port: 80, id, weight })),
    { maxLength: 5 },
  ),
})

t.test('a group says the same as it said, with the objects that it had before where they say the same', t => {
  fc.assert(
    fc.property(group, group, (before: EndpointGroup, group: EndpointGroup) => {
      const kept = keepSame(before, group)
      t.same(kept, group)
      if (before.service !== group.service) return
      const known = new Set(before.endpoints)
      for (const endpoint of kept.endpoints) {
        const isUnique = before.endpoints.filter(one => one.address === endpoint.address).length < 2
        const isThere = before.endpoints.some(one => JSON.stringify(one) === JSON.stringify(endpoint))
        if (isUnique && isThere && !known.has(endpoint)) throw new Error(`${endpoint.address} was made anew`)
      }
    }),
    { numRuns: 300 },
  )
  const [same] = fc.sample(group, 1)
  if (same === undefined) throw new Error('no sample')
  t.equal(keepSame(same, structuredClone(same)), same, 'nothing changed: the very group')
  t.end()
})
