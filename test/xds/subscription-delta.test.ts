import t from 'tap'
import { play } from './machine.ts'
import { deltaRules } from './rules-delta.ts'

for (const rule of deltaRules) {
  t.test(rule.rule, async t => {
    const { found, wanted } = play(rule, 'delta')
    t.same(found, wanted)
  })
}

t.test('D4 what a reconnecting client has counts as acknowledged', async t => {
  const { machine } = play({ rule: '', type: 'cluster', with: 'A1 B2', steps: [['has A1 B1; +*', '']] }, 'delta')
  t.ok(machine.subscription.acked('A'))
  t.notOk(machine.subscription.acked('B'))
})

t.test('D14 sent and acknowledged versions are told apart', async t => {
  const { machine } = play(
    {
      rule: '',
      type: 'endpoint',
      with: 'A1',
      steps: [
        ['ask +A', ''],
        ['ack', ''],
        ['put A2', ''],
        ['nack no', ''],
      ],
    },
    'delta',
  )
  const { subscription } = machine
  t.not(subscription.sentVersion('A'), subscription.acked('A')?.version)
  t.equal(subscription.acked('A')?.bytes.toString(), '1')
})

t.test('retirement: a client may use what it was sent or acknowledged, until it acknowledges another or lets go', async t => {
  const { machine } = play(
    {
      rule: '',
      type: 'route',
      with: 'A1',
      steps: [
        ['ask +A', ''],
        ['ack', ''],
        ['put A2', ''],
      ],
    },
    'delta',
  )
  t.equal(machine.held.size, 2, 'the acknowledged one and the one in flight')
  machine.step('ack')
  t.equal(machine.held.size, 1)
  machine.step('del A')
  t.equal(machine.held.size, 1, 'until the removal is acknowledged')
  machine.step('ack')
  t.equal(machine.held.size, 0)
})

t.test('retirement: what a client let go of before it acknowledged it is not in use', async t => {
  const { machine } = play(
    {
      rule: '',
      type: 'route',
      with: 'A1',
      steps: [
        ['ask +A', ''],
        ['ask -A', ''],
        ['ack', ''],
      ],
    },
    'delta',
  )
  t.equal(machine.verdict.kind, 'ack')
  t.equal(machine.held.size, 0)
})

t.test('D7 a refused removal of secrets counts as acknowledged', async t => {
  const steps = [
    ['ask +A', ''],
    ['ack', ''],
    ['del A', ''],
    ['nack Missing SDS resources', ''],
  ] as const
  t.equal(play({ rule: '', type: 'secret', with: 'A1', steps }, 'delta').machine.verdict.kind, 'ack')
  t.equal(play({ rule: '', type: 'endpoint', with: 'A1', steps }, 'delta').machine.verdict.kind, 'nack', 'of others it does not')
})
