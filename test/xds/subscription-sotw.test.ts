import t from 'tap'
import { play, type Rule } from './machine.ts'

const rules: readonly Rule[] = [
  { rule: 'S1 the first empty request is answered with everything', type: 'cluster', with: 'A1 B1', steps: [['names', 'A1 B1']] },
  {
    rule: 'S1 an empty view is answered, too',
    type: 'listener',
    steps: [
      ['names', 'empty'],
      ['ack', '-'],
      ['put A1', 'A1'],
    ],
  },
  {
    rule: 'S2, S15, C18 a plain ACK and its repetition are met with silence',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['names', 'A1'],
      ['ack', '-'],
      ['ack', '-'],
      ['put A1', '-'],
    ],
  },
  {
    rule: 'S3 one change sends the whole set; what it lacks is deleted',
    type: 'cluster',
    with: 'A1 B1 C1',
    steps: [
      ['names', 'A1 B1 C1'],
      ['ack', '-'],
      ['put B2', 'A1 B2 C1'],
      ['ack', '-'],
      ['del A', 'B2 C1'],
      ['ack', '-'],
      ['del B', 'C1'],
      ['ack', '-'],
      ['del C', 'empty'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'S4 assignments: only what changed is sent, and absence deletes nothing',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A B', 'A1 B1'],
      ['ack', '-'],
      ['put A2', 'A2'],
      ['ack', '-'],
      ['del A', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'S5 what exists is sent, the rest when it is made',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names A B', 'A1'],
      ['ack', '-'],
      ['put B1', 'B1'],
    ],
  },
  {
    rule: 'S5 nothing that is named exists: silence for assignments',
    type: 'route',
    steps: [
      ['names A', '-'],
      ['put A1', 'A1'],
    ],
  },
  {
    rule: 'S5 nothing that is named exists: the (empty) whole set for listeners',
    type: 'listener',
    steps: [
      ['names A', 'empty'],
      ['ack', '-'],
      ['put A1', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'S6 names grow: the new one is sent though nothing changed',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A', 'A1'],
      ['ack', '-'],
      ['names A B', 'B1'],
    ],
  },
  {
    rule: 'S6, S17 names grow: the whole set for clusters',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names A', 'A1'],
      ['ack', '-'],
      ['names A B', 'A1 B1'],
      ['names A B C', 'A1 B1'],
    ],
  },
  {
    rule: 'S7 names shrink: silence, and the dropped one is tracked no more',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A B', 'A1 B1'],
      ['names A', '-'],
      ['put B2', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'S7 names shrink: silence for clusters',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names A B', 'A1 B1'],
      ['names B', '-'],
      ['put A2', '-'],
      ['put B2', 'B2'],
    ],
  },
  {
    rule: 'S8 [A], [], [A] sends A again',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names A', 'A1'],
      ['names', '-'],
      ['names A', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'S8 [A], [], [A] sends A again, clusters',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names A', 'A1'],
      ['names', '-'],
      ['names A', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'S8 also when the first answer was still un-ACKed',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names A', 'A1'],
      ['stale', '-'],
      ['stale A', '-'],
      ['ack', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'S9 names of a stale request are adopted; what they ask arrives exactly once, after the ACK',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A', 'A1'],
      ['ack', '-'],
      ['put A2', 'A2'],
      ['stale A B', '-'],
      ['names A B', 'B1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'S10 of several requests in a row only the last is answered',
    type: 'endpoint',
    with: 'A1 B1 C1',
    steps: [
      ['names A', 'A1'],
      ['stale A B', '-'],
      ['stale A B C', '-'],
      ['names C', 'C1'],
      ['ack', '-'],
    ],
  },
  { rule: 'S11 a named first request is always answered', type: 'route', with: 'A1', steps: [['names A', 'A1']] },
  {
    rule: 'S12 [] is everything; ["*","A"] everything and A; ["A"] only A; then [] nothing',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names', 'A1 B1'],
      ['names * A', 'A1 B1'],
      ['names A', '-'],
      ['put B2', '-'],
      ['put A2', 'A2'],
      ['names', '-'],
      ['put A3', '-'],
    ],
  },
  {
    rule: 'S12 ["*"] first: an empty list after it is nothing',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['names *', 'A1'],
      ['ack', '-'],
      ['names', '-'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'S12 the wildcard and names are repeated by ACKs in silence',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names * A', 'A1 B1'],
      ['names * A', '-'],
      ['names A *', '-'],
    ],
  },
  {
    rule: 'S13 an empty first request for assignments is no subscription',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names', '-'],
      ['put A2', '-'],
      ['names A', 'A2'],
    ],
  },
  {
    rule: 'S13 "*" for assignments is everything',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names *', 'A1'],
      ['ack', '-'],
      ['put B1', 'B1'],
    ],
  },
  {
    rule: 'S14 nothing is sent to who let go of everything while the answer waited',
    type: 'listener',
    with: 'A1',
    steps: [
      ['names A', 'A1'],
      ['stale A B', '-'],
      ['names', '-'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'D15 changes merge while a response is un-ACKed',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A B', 'A1 B1'],
      ['put A2', '-'],
      ['put A3', '-'],
      ['put B2', '-'],
      ['ack', 'A3 B2'],
    ],
  },
  {
    rule: 'D15 what changed and changed back is not sent',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names A', 'A1'],
      ['put A2', '-'],
      ['put A1', '-'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D15 after the escape time others go out; the late ACK still counts',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names A', 'A1'],
      ['put A2', '-'],
      ['expire', 'A2'],
      ['stale A', '-'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'O4 an assignment is volunteered again at the same version',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A B', 'A1 B1'],
      ['ack', '-'],
      ['resend A', 'A1'],
      ['ack', '-'],
      ['resend C', '-'],
    ],
  },
  {
    rule: 'gating: what is held goes out in its acknowledged version meanwhile',
    type: 'listener',
    with: 'A1 B1',
    steps: [
      ['names', 'A1 B1'],
      ['ack', '-'],
      ['hold A', '-'],
      ['put A2', '-'],
      ['put B2', 'A1 B2'],
      ['ack', '-'],
      ['free A', 'A2 B2'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'gating: the first answer waits for what is held, because it tells what exists',
    type: 'listener',
    with: 'A1 B1',
    steps: [
      ['hold A', '-'],
      ['names', '-'],
      ['free A', 'A1 B1'],
    ],
  },
  {
    rule: 'gating: something new and held is not in the set yet',
    type: 'listener',
    with: 'A1',
    steps: [
      ['names', 'A1'],
      ['ack', '-'],
      ['hold B', '-'],
      ['put B1', '-'],
      ['put A2', 'A2'],
      ['ack', '-'],
      ['free B', 'A2 B1'],
    ],
  },
]

for (const rule of rules) {
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
