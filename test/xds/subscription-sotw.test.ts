import t from 'tap'
import { play } from './machine.ts'
import { sotwRules } from './rules-sotw.ts'

for (const rule of sotwRules) {
  t.test(rule.rule, async t => {
    const { found, wanted } = play(rule, 'sotw')
    t.same(found, wanted)
  })
}

t.test('S7, L8 what is let go of is released', async t => {
  const { machine } = play(
    {
      rule: '',
      type: 'endpoint',
      with: 'A1 B1',
      steps: [
        ['names A B', ''],
        ['ack', ''],
        ['put A2', ''],
      ],
    },
    'sotw',
  )
  t.equal(machine.held.size, 3, 'both acknowledged ones, and the one in flight')
  machine.step('names')
  t.equal(machine.held.size, 0)
})

t.test('D15 a late ACK of a response that was given up is recorded', async t => {
  const { machine } = play(
    {
      rule: '',
      type: 'endpoint',
      with: 'A1',
      steps: [
        ['names A', ''],
        ['put A2', ''],
        ['expire', ''],
        ['stale A', ''],
      ],
    },
    'sotw',
  )
  t.equal(machine.verdict.kind, 'ack')
  t.ok(machine.subscription.acked('A'))
  t.equal(machine.subscription.inFlight?.nonce, '2')
})
