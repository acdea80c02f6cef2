import fc from 'fast-check'
import t from 'tap'
import { type Backend, sliceReader } from '../../../plugins/kubernetes/backend.ts'
import { judge } from '../../../plugins/kubernetes/condition.ts'
import { JsonItems } from '../../../plugins/kubernetes/json-items.ts'
import { readService } from '../../../plugins/kubernetes/kube-service.ts'
import { translate } from '../../../plugins/kubernetes/translate.ts'
import { IsthmusError } from '../../../src/model/errors.ts'

const T = true
const F = false
const nil = undefined

t.test('3.1 rule 2: ready, serving, terminating', t => {
  const table = [
    [T, T, F, 'healthy'],
    [nil, nil, nil, 'healthy'],
    [T, F, F, 'healthy', 'ready-not-serving'],
    [T, T, T, 'draining', 'terminating'],
    [T, F, T, 'draining', 'terminating'],
    [F, T, T, 'draining', 'serving-terminating'],
    [F, F, T, 'unhealthy', 'terminating-not-serving'],
    [F, F, F, 'unhealthy', 'not-ready'],
    [F, nil, nil, 'unhealthy', 'not-ready'],
    [F, T, F, 'unhealthy', 'not-ready'],
  ] as const
  for (const [ready, serving, terminating, health, code] of table) {
    const verdict = judge({ ready, serving, terminating })
    t.equal(verdict.health, health, `${String(ready)} ${String(serving)} ${String(terminating)}`)
    t.equal(verdict.reasons[0]?.code, code)
  }
  t.end()
})

const admitAddress = (address: string): string => {
  if (address.startsWith('127.') || !/^[\d.:a-f]+$/.test(address))
    throw new IsthmusError('address-refused', `${address || 'nothing'} is refused`)
  return address
}
let order = 0
const read = sliceReader({ nextOrder: () => ++order, admitAddress })

function backend(name: string, endpoints: unknown, more: object = {}, former?: Backend): Backend {
  const metadata = { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } }
  const found = read({ metadata, addressType: 'IPv4', endpoints, ports: [{ name: 'http', port: 8080 }], ...more }, former)
  if (found === undefined) throw new Error('the slice belongs to no service')
  return found
}

const given = { service: undefined, nodeOf: () => undefined, former: [] }
const pod = (address: string, uid: string, conditions: object = {}, more: object = {}) => ({
  addresses: [address],
  conditions,
  targetRef: { name: `pod-${uid}`, uid },
  ...more,
})

t.test('3.1 rule 5: one endpoint in two slices is as the newest says, terminating as any says', t => {
  const older = backend('a', [pod('10.0.0.1', 'u', { ready: false, serving: true, terminating: true })])
  const newer = backend('b', [pod('10.0.0.1', 'u', { ready: true })])
  for (const list of [
    [older, newer],
    [newer, older],
  ]) {
    const { endpoints } = translate(list, given)
    t.match(endpoints, [{ address: '10.0.0.1', health: 'draining', id: 'pod-u/u' }])
    t.equal(endpoints.length, 1)
  }
  const reused = backend('c', [pod('10.0.0.1', 'another', { ready: true })])
  t.match(
    translate([reused, older], given).endpoints,
    [{ id: 'pod-another/another', health: 'healthy' }],
    'another pod took the address over',
  )
  t.end()
})

t.test('3.1 rules 4, 6, 7: what cannot be used costs only itself, and is named', t => {
  const bad = backend(
    'bad',
    [{ addresses: ['10.0.0.1', '10.0.0.2'] }, { addresses: [] }, { addresses: ['127.0.0.1'] }, null, pod('10.0.0.3', 'u')],
    {
      ports: [
        { name: 'http', port: 8080 },
        { name: 'all' },
        { port: 9 },
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 's', port: 7, protocol: 'SCTP' },
      ],
    },
  )
  const { endpoints, refusals } = translate([bad], given)
  t.same(endpoints.map(one => `${one.address}:${String(one.port)}/${one.protocol}`).sort(), [
    '10.0.0.1:53/udp',
    '10.0.0.1:8080/tcp',
    '10.0.0.3:53/udp',
    '10.0.0.3:8080/tcp',
  ])
  for (const text of [
    '1 addresses beside 10.0.0.1',
    'nothing is refused',
    '127.0.0.1 is refused',
    'port "all" has no number',
    'one of several ports has no name',
  ]) {
    t.ok(
      refusals.some(one => one.startsWith('shop/bad: ') && one.includes(text)),
      text,
    )
  }
  t.same(translate([backend('names', [{ addresses: ['a.example'] }], { addressType: 'FQDN' })], given).endpoints, [])
  t.same(translate([backend('none', null, { ports: null })], given), { endpoints: [], refusals: [] })
  t.end()
})

t.test('1.2, 3.1 rules 6 to 8: families are paired, Service ports and places are carried', t => {
  const service = readService({ metadata: { name: 'web', namespace: 'shop' }, spec: { ports: [{ name: 'http', port: 80 }] } })
  const four = backend('v4', [pod('10.0.0.1', 'u', {}, { nodeName: 'n1', zone: 'a' })])
  const six = backend('v6', [pod('fd00::1', 'u', { ready: false, serving: true, terminating: true })], { addressType: 'IPv6' })
  const nodeOf = (name: string) => (name === 'n1' ? { name, region: 'eu', zone: 'other' } : undefined)
  const first = translate([six, four], { ...given, service, nodeOf })
  t.match(first.endpoints, [
    { address: '10.0.0.1', additionalAddresses: ['fd00::1'], servicePort: 80, health: 'draining', locality: { region: 'eu', zone: 'a' } },
  ])
  t.equal(first.endpoints.length, 1)
  const again = translate([four, six], { ...given, service, nodeOf, former: first.endpoints })
  t.equal(again.endpoints[0], first.endpoints[0], 'what did not change is the same object')
  t.equal(
    readService({ metadata: { name: 'x', labels: { consul: 'true' } }, spec: { type: 'ExternalName', externalName: 'x.consul' } }),
    undefined,
  )
  t.end()
})

t.test('a slice that comes again makes nothing anew but what differs, shuffled or not', t => {
  const pods = (more: object) => [pod('10.0.0.1', 'a'), pod('10.0.0.2', 'b', more), pod('fd00::1', '', {}, { targetRef: undefined })]
  const first = backend('one', pods({}))
  const before = translate([first], given).endpoints
  for (const list of [pods({ ready: false }), pods({ ready: false }).reverse()]) {
    const second = backend('one', list, {}, first)
    const after = translate([second], { ...given, former: before }).endpoints
    const changed = after.filter(one => !before.includes(one))
    t.match(changed, [{ address: '10.0.0.2', health: 'unhealthy' }])
    t.equal(changed.length, 1)
    t.equal(after.length, 3)
    t.equal(second.parts[0]?.endpoints.filter(one => first.parts[0]?.endpoints.includes(one)).length, 2)
  }
  const same = backend('one', pods({}), {}, first)
  t.same(
    translate([same], { ...given, former: before }).endpoints.map((one, index) => one === before[index]),
    [true, true, true],
  )
  const moved = pod('10.0.0.1', 'a', {}, { zone: 'z', nodeName: 'n' })
  t.match(translate([backend('one', [moved], {}, first)], { ...given, former: before }).endpoints, [{ locality: { zone: 'z' } }])
  const other = pod('10.0.0.1', 'other')
  t.match(translate([backend('one', [other], {}, first)], { ...given, former: before }).endpoints, [{ id: 'pod-other/other' }])
  t.end()
})

t.test('a list is cut into its items wherever its pieces end', t => {
  const value = fc.jsonValue({ maxDepth: 3 })
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.string(), value)),
      fc.dictionary(fc.string(), value),
      fc.array(fc.nat(400)),
      (items, other, cuts) => {
        delete other['items']
        const whole = Buffer.from(
          JSON.stringify({ kind: 'items', ...other, items, metadata: { resourceVersion: '1', items: ['"items":[{'] } }),
        )
        const splitter = new JsonItems()
        const found: unknown[] = []
        let from = 0
        for (const end of [...cuts.map(cut => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length]) {
          for (const item of splitter.push(whole.subarray(from, end))) found.push(JSON.parse(item.toString('utf8')))
          from = end
        }
        const expected = JSON.parse(whole.toString('utf8')) as { items: unknown[] }
        t.strictSame(found, expected.items)
        t.strictSame({ ...splitter.end() }, { ...expected, items: [] })
      },
    ),
    { numRuns: 200 },
  )
  t.throws(() => {
    const splitter = new JsonItems()
    splitter.push(Buffer.from('{"items":[{"a":1}'))
    splitter.end()
  }, SyntaxError)
  t.end()
})
