import t from 'tap'
import { isLastResort, needsLastResort } from '../../../src/xds/generate/last-resort.ts'
import { makeEndpoint } from '../../../src/model/endpoint.ts'
import type { Health } from '../../../src/model/health.ts'
import type { PoolEndpoint } from '../../../src/table/reader.ts'

function one(...said: readonly (readonly [Health, string?])[]): PoolEndpoint {
  const evidence = said.map(([health, code = 'other'], index) => ({
    source: `s${String(index)}`,
    sourceType: 'kubernetes',
    group: 'g',
    endpoint: makeEndpoint({ address: '10.0.0.1', port: 80, id: 'a', health, reasons: [{ code, text: '' }] }),
  }))
  const [winner] = evidence
  if (winner === undefined) throw new Error('nobody said anything')
  const health = said.some(([each]) => each === 'draining') ? 'draining' : winner.endpoint.health
  const place = { address: '10.0.0.1', port: 80, protocol: 'tcp' as const, additionalAddresses: [] }
  return { ...place, health, presence: 'live', weight: 100, winner, evidence, reasons: [] }
}

t.test('3.1 rule 3: those that go away but serve are used only while nobody else is ready, and nobody else wants them out', t => {
  const going = one(['draining', 'serving-terminating'])
  t.ok(needsLastResort([going, one(['unhealthy'])]))
  t.ok(isLastResort(going))
  t.notOk(needsLastResort([going, one(['healthy'])]))
  t.notOk(needsLastResort([going, one(['unknown'])]))
  t.notOk(needsLastResort([one(['draining', 'terminating']), one(['unhealthy'])]), 'nobody serves')
  t.notOk(isLastResort(one(['draining', 'serving-terminating'], ['draining', 'maintenance'])), 'another registry drains it')
  t.ok(isLastResort(one(['draining', 'serving-terminating'], ['healthy'])))
  t.notOk(isLastResort({ ...going, goneAt: 1 }))
  t.end()
})
