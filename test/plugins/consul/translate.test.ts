import t from 'tap'
import { type HealthEntry, isHealthEntries } from '../../../plugins/consul/entry.ts'
import { selectAddress } from '../../../plugins/consul/select-address.ts'
import type { ConsulSettings } from '../../../plugins/consul/settings.ts'
import { translate, type Translation } from '../../../plugins/consul/translate.ts'
import { weigh } from '../../../plugins/consul/weight.ts'
import type { Endpoint } from '../../../src/model/endpoint.ts'
import { makeGiven } from '../../contract/harness.ts'
import { check, entry } from './entries.ts'

const { admitAddress } = makeGiven()
const run = (entries: readonly HealthEntry[], settings: ConsulSettings = {}): Translation =>
  translate(entries, { settings, admitAddress, meshOf: (dc, service) => ({ locked: `${dc} ${service}` }), deniedBy: () => undefined })
const only = (one: HealthEntry, settings: ConsulSettings = {}): Endpoint | undefined => [...run([one], settings).instances.values()][0]?.[0]

t.test('an instance becomes an endpoint with its node and id as identity', async t => {
  const { instances, refusals, total } = run([entry({ Tags: ['v2'], Meta: { version: '2' } })])
  t.same([...instances.keys()], ['node-1/web-1'])
  t.same(refusals, [])
  t.equal(total, 1)
  const [endpoint] = instances.get('node-1/web-1') ?? []
  t.match(endpoint, {
    id: 'node-1/web-1',
    address: '10.0.0.1',
    port: 8080,
    portName: '',
    weight: 100,
    health: 'healthy',
    presence: 'live',
    tags: ['v2'],
    meta: { version: '2' },
    locality: { region: '', zone: '', subzone: '' },
  })
  t.same(endpoint?.reasons, [])
})

t.test('equal service ids on two nodes are two instances', async t => {
  const { instances } = run([entry(), entry({ Address: '10.0.0.2' }, { Node: 'node-2' })])
  t.same([...instances.keys()], ['node-1/web-1', 'node-2/web-1'])
})

t.test(
  '2.7: the first address there is, family-specific before general, the service before its node, the port from the same entry',
  async t => {
    const service = {
      wan_ipv4: { Address: '203.0.113.4', Port: 4 },
      wan_ipv6: { Address: '2001:db8::6', Port: 6 },
      wan: { Address: '203.0.113.5', Port: 5 },
      lan_ipv4: { Address: '10.0.0.4', Port: 14 },
      lan_ipv6: { Address: 'fd00::6', Port: 16 },
      lan: { Address: '10.0.0.5', Port: 15 },
      virtual: { Address: '240.0.0.1', Port: 1 },
    }
    const node = {
      wan_ipv4: '198.51.100.4',
      wan_ipv6: '2001:db8::16',
      wan: '198.51.100.5',
      lan_ipv4: '10.8.0.4',
      lan_ipv6: 'fd08::6',
      lan: '10.8.0.5',
    }
    const expected = {
      lan: [
        ['10.0.0.4', 14],
        ['fd00::6', 16],
        ['10.0.0.5', 15],
        ['10.0.0.1', 8080],
        ['10.8.0.4', 8080],
        ['fd08::6', 8080],
        ['10.8.0.5', 8080],
        ['10.9.0.1', 8080],
      ],
      wan: [
        ['203.0.113.4', 4],
        ['2001:db8::6', 6],
        ['203.0.113.5', 5],
        ['10.0.0.1', 8080],
        ['198.51.100.4', 8080],
        ['2001:db8::16', 8080],
        ['198.51.100.5', 8080],
        ['10.9.0.1', 8080],
      ],
    } as const
    for (const network of ['lan', 'wan'] as const) {
      let left: HealthEntry = entry({ TaggedAddresses: service }, { TaggedAddresses: node })
      for (const [address, port] of expected[network]) {
        t.match(selectAddress(left, network), { address, port }, `${network}: ${address}`)
        left = withoutAddress(left, address)
      }
    }
  },
)

t.test('2.7: an entry without an address says nothing, one without a port has the port of the service', async t => {
  t.match(selectAddress(entry({ TaggedAddresses: { lan: { Address: '', Port: 9 } } }), 'lan'), { address: '10.0.0.1', port: 8080 })
  t.match(selectAddress(entry({ TaggedAddresses: { lan: { Address: '10.0.0.7', Port: 0 } } }), 'lan'), { address: '10.0.0.7', port: 8080 })
  t.match(selectAddress(entry({ TaggedAddresses: null, Address: '' }, { TaggedAddresses: null }), 'lan'), { address: '10.9.0.1' })
})

t.test('2.7: a wan address that is only the copied plain one is used and remarked on', async t => {
  const copied = { wan_ipv4: { Address: '10.0.0.1', Port: 8080 } }
  const wanNode = { TaggedAddresses: { wan: '198.51.100.5' } }
  t.match(only(entry({ TaggedAddresses: copied }, wanNode), { network: 'wan' }), {
    address: '10.0.0.1',
    reasons: [{ code: 'wan-inherited', text: /198\.51\.100\.5/ }],
  })
  t.same(only(entry({ TaggedAddresses: copied }, wanNode), { network: 'lan' })?.reasons, [])
  t.same(only(entry({ TaggedAddresses: copied }, { TaggedAddresses: { wan: '10.9.0.1' } }), { network: 'wan' })?.reasons, [])
})

t.test('1.3: an address or a port that cannot be used costs only its instance, and is named', async t => {
  const bad: readonly [string, Partial<HealthEntry['Service']>, RegExp][] = [
    ['a host name', { Address: 'db.example' }, /db\.example is no IP/],
    ['loopback', { Address: '127.0.0.1' }, /loopback/],
    ['port 0', { Port: 0 }, /port 0/],
    ['port 65536', { Port: 65_536 }, /port 65536/],
    ['a port that is no integer', { Port: 80.5 }, /port 80\.5/],
  ]
  for (const [title, service, text] of bad) {
    const { instances, refusals, total } = run([entry({ ID: 'bad', ...service }), entry()])
    t.same([...instances.keys()], ['node-1/web-1'], title)
    t.match(refusals, [/^node-1\/bad: /], title)
    t.match(refusals[0], text, title)
    t.equal(total, 2, 'it is there, although nobody can be sent to it')
  }
})

t.test('1.3: an instance that was registered without a port, of which Consul says nothing, costs only itself', async t => {
  const { Port: _, ...portless } = entry({ ID: 'portless' }).Service
  const body = [{ ...entry(), Service: portless }, entry()]
  if (!isHealthEntries(body)) throw new Error('it is an answer of Consul')
  const { instances, refusals } = run(body)
  t.same([...instances.keys()], ['node-1/web-1'])
  t.match(refusals, [/^node-1\/portless: .*port/])
})

t.test('fields of a type that Consul never sends cost at most their instance', async t => {
  const { Service } = entry({ ID: 'odd' })
  const statusless = { CheckID: 'a', ServiceID: 'web-1' }
  const body: unknown = [{ ...entry(), Service: { ...Service, Port: '80' } }, { ...entry({ ID: 'sick' }), Checks: [statusless] }, entry()]
  if (!isHealthEntries(body)) throw new Error('it is an answer of Consul')
  const { instances, refusals } = run(body)
  t.match(refusals, [/^node-1\/odd: /])
  t.match(instances.get('node-1/sick'), [{ health: 'unhealthy', reasons: [{ code: 'check-unknown' }] }])
  t.match(instances.get('node-1/web-1'), [{ health: 'healthy' }])
})

t.test('1.3: sidecars, gateways and copies of pods are left out as their settings say', async t => {
  for (const Kind of ['connect-proxy', 'mesh-gateway', 'terminating-gateway', 'ingress-gateway', 'api-gateway']) {
    t.equal(only(entry({ Kind })), undefined, Kind)
    t.ok(only(entry({ Kind }), { mesh: true }), Kind)
  }
  t.ok(only(entry({ Kind: '' })))
  t.ok(only(entry({ Kind: 'some-day' })), 'a kind that is no mesh one')
  const copy = entry({ Meta: { 'external-source': 'kubernetes', 'external-k8s-ns': 'shop' } })
  t.ok(only(copy))
  t.equal(only(copy, { ignoreKubernetesSynced: true }), undefined)
  t.equal(only(copy, { ignoreKubernetesSynced: [String(copy.Service.Meta?.['external-k8s-ns'])] }), undefined)
  t.ok(only(copy, { ignoreKubernetesSynced: ['another'] }), 'a namespace that nobody reads')
  t.ok(only(entry({ Meta: { 'external-source': 'kubernetes' } }), { ignoreKubernetesSynced: true }), 'not synced from a namespace')
})

t.test('2.5: Consul weights that are not 1/1, then meta, then tag, then an ordinary one', async t => {
  const rows: readonly [string, Partial<HealthEntry['Service']>, boolean, ConsulSettings, number][] = [
    ['passing', { Weights: { Passing: 3, Warning: 2 } }, false, {}, 300],
    ['warning', { Weights: { Passing: 3, Warning: 2 } }, true, {}, 200],
    ['1/1 does not mask meta', { Meta: { weight: '4' } }, false, {}, 400],
    ['1/1 does not mask a tag', { Tags: ['a', 'weight:5'] }, false, {}, 500],
    ['weights come before meta', { Weights: { Passing: 1, Warning: 2 }, Meta: { weight: '4' } }, false, {}, 100],
    ['meta comes before a tag', { Meta: { weight: '4' }, Tags: ['weight:5'] }, false, {}, 400],
    ['nothing is an ordinary one', {}, false, {}, 100],
    ['nothing is an ordinary one, whatever the reference', {}, false, { weightReference: 50 }, 100],
    ['a reference scales', { Tags: ['weight:25'] }, false, { weightReference: 50 }, 50],
    ['a multiplier scales too', { Weights: { Passing: 3, Warning: 3 } }, false, { weightMultiplier: 0.5 }, 150],
    ['no clamp to 128', { Weights: { Passing: 1000, Warning: 1 } }, false, {}, 100_000],
    ['what rounds to 0 is 1', { Meta: { weight: '0.001' } }, false, {}, 1],
    ['the uint32 sum is safe', { Weights: { Passing: 65_535, Warning: 1 } }, false, { weightMultiplier: 1000 }, 1_000_000],
  ]
  for (const [title, service, warning, settings, weight] of rows) {
    t.equal(weigh(entry(service).Service, warning, settings).weight, weight, title)
  }
})

t.test('2.5: weight 0 keeps the instance and sends it nothing', async t => {
  for (const service of [{ Weights: { Passing: 0, Warning: 1 } }, { Meta: { weight: '0' } }, { Tags: ['weight:0'] }]) {
    t.match(only(entry(service)), { health: 'unhealthy', weight: 1, reasons: [{ code: 'weight-zero' }] })
  }
  const warned = [check('service:web-1', 'warning')]
  t.match(only(entry({ Weights: { Passing: 1, Warning: 0 } }, {}, warned)), { health: 'unhealthy', weight: 1 })
  const drained = [check('_service_maintenance:web-1', 'critical')]
  t.equal(only(entry({ Weights: { Passing: 0, Warning: 0 } }, {}, drained))?.health, 'draining', 'draining stays what it is')
})

t.test('2.5: a weight that is no number is an ordinary one, with a reason', async t => {
  for (const weight of ['heavy', '-1', '1e9', '', 'Infinity']) {
    t.match(only(entry({ Meta: { weight } })), { weight: 100, health: 'healthy', reasons: [{ code: 'weight-invalid' }] }, weight)
  }
})

t.test('2.6: tags and meta pass, capped in count and size', async t => {
  const tags = Array.from({ length: 200 }, (_, index) => `t${index}`)
  const meta = Object.fromEntries(tags.map(tag => [tag, 'x']))
  const capped = only(entry({ Tags: ['x'.repeat(600), ...tags], Meta: { long: 'x'.repeat(600), ...meta } }))
  t.same(capped?.tags, tags.slice(0, 64))
  t.same(Object.keys(capped?.meta ?? {}), tags.slice(0, 64))
  t.match(only(entry({ Tags: null, Meta: null })), { tags: [], meta: {} })
})

t.test('the zone is from the locality, or meta of the instance, or meta of its node; the region is the datacenter', async t => {
  const zoneOf = (service: Partial<HealthEntry['Service']>, node: Partial<HealthEntry['Node']>): unknown =>
    only(entry(service, node))?.locality
  t.same(zoneOf({ Meta: { zone: 'a' } }, { Meta: { zone: 'b' } }), { region: 'dc1', zone: 'a', subzone: '' })
  t.same(zoneOf({}, { Meta: { zone: 'b' } }), { region: 'dc1', zone: 'b', subzone: '' })
  t.same(zoneOf({ Locality: { Region: 'r', Zone: 'z' }, Meta: { zone: 'a' } }, {}), { region: 'r', zone: 'z', subzone: '' })
  t.same(zoneOf({ Meta: null }, { Meta: null }), { region: '', zone: '', subzone: '' })
})

t.test('named ports are endpoints of one instance', async t => {
  const Ports = [
    { Name: 'http', Port: 8080 },
    { Name: 'admin', Port: 9090 },
  ]
  const { instances } = run([entry({ Ports })])
  t.match(instances.get('node-1/web-1'), [
    { id: 'node-1/web-1', port: 8080, portName: 'http' },
    { id: 'node-1/web-1', port: 9090, portName: 'admin' },
  ])
})

function withoutAddress(one: HealthEntry, address: string): HealthEntry {
  const { Service, Node } = one
  const tagged = Object.entries(Service.TaggedAddresses ?? {}).filter(([, value]) => value.Address !== address)
  const nodes = Object.entries(Node.TaggedAddresses ?? {}).filter(([, value]) => value !== address)
  return {
    ...one,
    Service: {
      ...Service,
      Address: Service.Address === address ? '' : (Service.Address ?? ''),
      TaggedAddresses: Object.fromEntries(tagged),
    },
    Node: { ...Node, TaggedAddresses: Object.fromEntries(nodes) },
  }
}

t.test(
  '2.4: checks go with an endpoint, so that a ServicePool can judge them, where they are not all passing and not maintenance',
  async t => {
    t.equal(only(entry())?.checks, undefined, 'the usual case costs no memory')
    const warned = only(entry({}, {}, [check('http', 'warning', { Notes: 'n' })]), { warning: 'degraded' })
    t.same(warned?.checks, {
      list: [{ CheckID: 'http', Name: 'check http', Status: 'warning', ServiceID: 'web-1' }],
      policy: { warning: 'degraded' },
    })
    t.equal(only(entry({}, {}, [check('_service_maintenance:web-1', 'critical')]))?.checks, undefined)
  },
)
