import type { Rule } from './machine.ts'

/** Rules of Delta, as `Machine` and `WireMachine` play them. */
export const deltaRules: readonly Rule[] = [
  {
    rule: 'D1 a first request that names nothing is answered with everything',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D1 also when there is nothing',
    type: 'listener',
    steps: [
      ['ask', 'empty'],
      ['ack', '-'],
      ['put A1', 'A1'],
    ],
  },
  {
    rule: 'D1, S13 naming nothing of a type without legacy wildcard is no subscription',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask', '-'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'D2 a wildcard survives naming A and ends with "*" alone',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['ack +A', 'A1'],
      ['ack', '-'],
      ['put B2', 'B2'],
      ['ack -*', '-'],
      ['put B3', '-'],
      ['put A2', 'A2'],
      ['ack -A', '-'],
      ['put A3', '-'],
    ],
  },
  {
    rule: 'D3 subscribing to and leaving "*" at once leaves nothing',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['ask +* -*', '-'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'D4 a reconnecting client is sent what differs and what is gone',
    type: 'cluster',
    with: 'A1 B2',
    steps: [
      ['has A1 B1 C1; +*', 'B2 -C'],
      ['ack', '-'],
    ],
  },
  { rule: 'D4 by the legacy wildcard, too', type: 'cluster', with: 'A1 B2', steps: [['has A1 B1 C1;', 'B2 -C']] },
  {
    rule: 'D4 nothing differs: an empty answer for a wildcard',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['has A1 B1; +*', 'empty'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D4 nothing differs: silence for names',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['has A1 B1; +A +B', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'D4 names: what differs, what is new to the client, what is gone',
    type: 'endpoint',
    with: 'A1 B2 D1',
    steps: [['has A1 B1 C1; +A +B +C +D', 'B2 D1 -C']],
  },
  {
    rule: 'D4 what it has but does not watch is ignored',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['has A1 B1 C1; +A', '-'],
      ['put B2', '-'],
    ],
  },
  {
    rule: 'D6 naming what is current already sends it again',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack', '-'],
      ['ask +A', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D7 what does not exist is said to be absent, once; its creation is sent',
    type: 'endpoint',
    steps: [
      ['ask +A', '-A'],
      ['ack', '-'],
      ['ack', '-'],
      ['put A1', 'A1'],
    ],
  },
  {
    rule: 'D8 a deletion is told, a new creation is sent anew even at the old version',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['ack', '-'],
      ['del A', '-A'],
      ['ack', '-'],
      ['put A1', 'A1'],
    ],
  },
  {
    rule: 'D8 also while the removal is un-ACKed',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack', '-'],
      ['del A', '-A'],
      ['put A1', '-'],
      ['ack', 'A1'],
    ],
  },
  {
    rule: 'D8 what never was sent is not removed',
    type: 'cluster',
    steps: [
      ['ask', 'empty'],
      ['put A1', '-'],
      ['del A', '-'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D9 a batch of changes is one response with just these',
    type: 'cluster',
    with: 'A1 B1 C1',
    steps: [
      ['ask', 'A1 B1 C1'],
      ['put A2 B2', '-'],
      ['put D1', '-'],
      ['del C', '-'],
      ['ack', 'A2 B2 D1 -C'],
    ],
  },
  {
    rule: 'D10 leaving a name is met with silence, an unknown one ignored',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack -A', '-'],
      ['ack -B', '-'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'D11 leaving A under a wildcard: A again, as the wildcard has it',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['ask +* +A', 'A1'],
      ['ack -A', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D11 leaving A under a wildcard that has no A: removed',
    type: 'cluster',
    with: 'B1',
    steps: [
      ['ask +* +A', 'B1 -A'],
      ['ack -A', '-A'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D11 leaving both at once leaves nothing to answer',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['ask +* +A', 'A1'],
      ['ack -A -*', '-'],
    ],
  },
  {
    rule: 'D11 leaving both at once, of an A that does not exist, too',
    type: 'cluster',
    with: 'B1',
    steps: [
      ['ask +* +A', 'B1 -A'],
      ['ack -A -*', '-'],
    ],
  },
  {
    rule: 'D12 changes in a request with a stale nonce are honoured',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['ask +A', 'A1'],
      ['ack', '-'],
      ['put A2', 'A2'],
      ['stale +B', '-'],
      ['ack', 'B1'],
    ],
  },
  {
    rule: 'D12 and with none',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['ask +A', 'A1'],
      ['ask +B -A', '-'],
      ['ack', 'B1'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'D13 an ACK that names more does both',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['ask +A', 'A1'],
      ['ack +B', 'B1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D14, C10 a refused version is not sent again, the next is',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['nack no', '-'],
      ['put A1', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'D15 one un-ACKed response; what changed and changed back is not sent',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['put A2', '-'],
      ['put A1', '-'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D7 a refused removal of secrets is no refusal',
    type: 'secret',
    with: 'A1',
    steps: [
      ['ask +A +B', 'A1 -B'],
      ['ack', '-'],
      ['del A', '-A'],
      ['nack Missing SDS resources', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'O4 an assignment is volunteered again at the same version',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack', '-'],
      ['resend A', 'A1'],
    ],
  },
  {
    rule: 'O4 also when the client told that it has it',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['has A1; +A', '-'],
      ['resend A', 'A1'],
    ],
  },
  {
    rule: 'S8 leaving A and naming it again sends it again',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack -A', '-'],
      ['ask +A', 'A1'],
    ],
  },
  {
    rule: 'gating: what is held waits, others go',
    type: 'route',
    with: 'A1 B1',
    steps: [
      ['hold A', '-'],
      ['ask +A +B', 'B1'],
      ['ack', '-'],
      ['free A', 'A1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'D18 the first answer of a wildcard is whole: it waits for what is held',
    type: 'listener',
    with: 'A1 B1',
    steps: [
      ['hold A', '-'],
      ['ask', '-'],
      ['put B2', '-'],
      ['free A', 'A1 B2'],
    ],
  },
]
