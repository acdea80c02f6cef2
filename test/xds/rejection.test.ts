import t from 'tap'
import { blamedNames } from '../../src/xds/blame.ts'
import { play, type Rule } from './machine.ts'

t.test('names are taken from the text of a NACK', async t => {
  const cases: readonly (readonly [text: string, names: string[], blamed: string[]])[] = [
    ['Error adding/updating cluster(s) web: bad port, api: no name', ['web', 'api', 'db'], ['web', 'api']],
    ['Error adding/updating listener(s) 0.0.0.0:80: cannot bind', ['0.0.0.0:80', '0.0.0.0:8080'], ['0.0.0.0:80']],
    ['Error adding/updating cluster(s) shop/web|v2: duplicate of shop/web', ['shop/web', 'shop/web|v2'], ['shop/web|v2']],
    ['route web-routes: unknown cluster', ['web', 'routes', 'web-routes'], ['web-routes']],
    ["Unexpected EDS cluster (expecting 'web')", ['web', 'db'], ['web']],
    ['cluster web. Try again', ['web'], ['web']],
    ['refused web.example', ['web'], []],
    ['cluster: something is wrong', ['web', 'api'], []],
    ['', ['web'], []],
    ['anything', [''], []],
  ]
  for (const [text, names, blamed] of cases) t.same(blamedNames(text, names), blamed, text)
})

const delta: readonly Rule[] = [
  {
    rule: 'C10 what is refused is not sent again until it changes',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['ask', 'A1'],
      ['ack', '-'],
      ['put A2', 'A2'],
      ['nack no', '-'],
      ['ack', '-'],
      ['put A2', '-'],
      ['put A3', 'A3'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'C11 changes in a NACK are honoured',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['ask +A', 'A1'],
      ['nack no; +B', 'B1'],
      ['nack no; -A', '-'],
      ['put A2', '-'],
    ],
  },
  {
    rule: 'C12 the next version goes out at once, even if it was there before the NACK',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['put A2', '-'],
      ['put A3', '-'],
      ['nack no', 'A3'],
    ],
  },
  {
    rule: 'C13 the others of the response go out without the culprit',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['nack Error adding/updating cluster(s) A: no', 'B1'],
      ['ack', '-'],
      ['put B2', 'B2'],
      ['ack', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'C13 and removals that came with it',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['ack', '-'],
      ['put A2', 'A2'],
      ['ack', '-'],
      ['del B', '-B'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'C13 removals of a refused response are told again',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['put A2', '-'],
      ['del B', '-'],
      ['ack', 'A2 -B'],
      ['nack A: no', '-B'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'C13 nobody is named: halves are tried until the culprit is found',
    type: 'cluster',
    with: 'A1 B1 C1 D1',
    steps: [
      ['ask', 'A1 B1 C1 D1'],
      ['nack no', 'A1 B1'],
      ['ack', 'C1 D1'],
      ['nack no', 'C1'],
      ['nack no', 'D1'],
      ['ack', '-'],
      ['ack', '-'],
      ['put C2', 'C2'],
    ],
  },
  {
    rule: 'C10 a NACK of a response with nothing new starts no loop',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack', '-'],
      ['resend A', 'A1'],
      ['nack no', '-'],
      ['nack no', '-'],
    ],
  },
  {
    rule: 'C10 an answered question may be refused without a loop',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['nack no', '-'],
      ['ask +A', 'A1'],
      ['nack no', '-'],
    ],
  },
  {
    rule: 'C10 a refused removal is not repeated',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['ask +A', 'A1'],
      ['ack', '-'],
      ['del A', '-A'],
      ['nack no', '-'],
    ],
  },
  {
    rule: 'a change goes before the search for the culprit',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['ask', 'A1 B1'],
      ['put C1', '-'],
      ['nack no', 'C1'],
      ['ack', 'A1'],
      ['ack', 'B1'],
      ['nack no', '-'],
    ],
  },
]

const sotw: readonly Rule[] = [
  {
    rule: 'C10 assignments: what is refused is not sent again until it changes',
    type: 'endpoint',
    with: 'A1',
    steps: [
      ['names A', 'A1'],
      ['nack no', '-'],
      ['ack', '-'],
      ['put A2', 'A2'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'C11 names in a NACK are honoured',
    type: 'endpoint',
    with: 'A1 B1',
    steps: [
      ['names A', 'A1'],
      ['nack no; A B', 'B1'],
    ],
  },
  {
    rule: 'C12 the next version goes out at once',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['names', 'A1'],
      ['put A2', '-'],
      ['nack no', 'A2'],
    ],
  },
  {
    rule: 'DESIGN step 9: the last good version goes back out in the place of a refused cluster',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names', 'A1 B1'],
      ['ack', '-'],
      ['put A2 B2', 'A2 B2'],
      ['nack Error adding/updating cluster(s) A: no', 'A1 B2'],
      ['ack', '-'],
      ['put B3', 'A1 B3'],
      ['ack', '-'],
      ['put A3', 'A3 B3'],
    ],
  },
  {
    rule: 'a refused cluster that never was good is left out',
    type: 'cluster',
    with: 'A1',
    steps: [
      ['names', 'A1'],
      ['ack', '-'],
      ['put B1', 'A1 B1'],
      ['nack Error adding/updating cluster(s) B: no', 'A1'],
      ['ack', '-'],
      ['put A2', 'A2'],
    ],
  },
  {
    rule: 'a reconnected client gets what was good elsewhere',
    type: 'cluster',
    with: 'A2 B1',
    steps: [
      ['good A1', '-'],
      ['names', 'A2 B1'],
      ['nack Error adding/updating cluster(s) A: no', 'A1 B1'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'what was good elsewhere in the very version that is refused here is left out',
    type: 'cluster',
    with: 'A2 B1',
    steps: [
      ['good A2', '-'],
      ['names', 'A2 B1'],
      ['nack Error adding/updating cluster(s) A: no', 'B1'],
    ],
  },
  {
    rule: 'nobody is named: the last good set, then halves',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names', 'A1 B1'],
      ['ack', '-'],
      ['put A2 B2', 'A2 B2'],
      ['nack no', 'A1 B1'],
      ['ack', 'A2 B1'],
      ['ack', 'A2 B2'],
      ['nack no', 'A2 B1'],
      ['ack', '-'],
      ['ack', '-'],
    ],
  },
  {
    rule: 'a refused cluster that is removed is refused no more',
    type: 'cluster',
    with: 'A1 B1',
    steps: [
      ['names', 'A1 B1'],
      ['nack A: no', 'B1'],
      ['ack', '-'],
      ['del A', '-'],
      ['put A1', 'A1 B1'],
    ],
  },
]

for (const [protocol, rules] of [
  ['delta', delta],
  ['sotw', sotw],
] as const) {
  for (const rule of rules) {
    t.test(`${protocol}: ${rule.rule}`, async t => {
      const { found, wanted } = play(rule, protocol)
      t.same(found, wanted)
    })
  }
}

t.test('C9 an error alone marks a NACK, whatever its nonce', async t => {
  const { machine } = play({ rule: '', type: 'endpoint', with: 'A1', steps: [['nack early; +A', '']] }, 'delta')
  t.match(machine.verdict, { kind: 'nack', blamed: [] })
  t.equal(machine.subscription.inFlight?.nonce, '1', 'what it asks is answered all the same')
})

t.test('C10 when every resource is refused, the search for culprits ends', async t => {
  const names = Array.from({ length: 26 }, (_, at) => String.fromCharCode(97 + at))
  const all = names.flatMap(a => names.slice(0, 10).map(b => `${a}${b}1`)).join(' ')
  const { machine } = play({ rule: '', type: 'cluster', with: all, steps: [['ask', '']] }, 'delta')
  let responses = 1
  for (; responses < 1000 && machine.step('nack no') !== '-'; responses++);
  t.ok(responses <= 66, `${String(responses)} responses`)
  t.equal(machine.step('nack no'), '-')
  t.equal(machine.step('put aa2 ab2'), 'aa2 ab2')
  t.equal(machine.step('nack no'), 'aa2', 'another time culprits are searched for again')
})
