import t from 'tap'
import type { ConsulClient, ConsulQuery } from '../../../plugins/consul/client.ts'
import { ConnectCa } from '../../../plugins/consul/connect-ca.ts'
import type { ConsulAnswer } from '../../../plugins/consul/reading.ts'
import type { ConsulSettings } from '../../../plugins/consul/settings.ts'
import { translate } from '../../../plugins/consul/translate.ts'
import { withSidecars } from '../../../plugins/consul/with-sidecars.ts'
import { makeGiven } from '../../contract/harness.ts'
import { check, entry } from './entries.ts'

const { admitAddress } = makeGiven()
const peer = (dc: string, service: string) => ({ identity: `spiffe://x/dc/${dc}/svc/${service}`, certificate: 'c', validation: 'v' })

const sidecar = {
  ...entry({ ID: 'web-1-proxy', Service: 'web-sidecar-proxy', Kind: 'connect-proxy', Port: 21_000, Tags: ['proxy'] }, {}, [
    check('proxy', 'passing', { ServiceID: 'web-1-proxy' }),
  ]),
  viaConnect: true as const,
}
const ofWeb = { ...sidecar, Service: { ...sidecar.Service, Proxy: { DestinationServiceName: 'web', DestinationServiceID: 'web-1' } } }

function endpoints(entries: Parameters<typeof translate>[0], settings: ConsulSettings = { connect: true }) {
  const { instances } = translate(entries, { settings, admitAddress, meshOf: peer, deniedBy: () => undefined })
  return [...instances.values()].flat().map(({ port, mesh, weight, tags, health }) => ({ port, mesh, weight, tags, health }))
}

t.test('an instance with a sidecar is reached through it, with weight, tags and health of its own (discovery.md 2.5, 2.9)', async t => {
  const weighted = entry({ Weights: { Passing: 3, Warning: 1 }, Tags: ['v2'] }, {}, [check('service:web-1', 'critical')])
  const other = entry({ ID: 'web-2', Address: '10.0.0.2' })
  t.same(endpoints([weighted, other, ofWeb]), [
    { port: 8080, mesh: undefined, weight: 100, tags: [], health: 'healthy' },
    { port: 21_000, mesh: peer('dc1', 'web'), weight: 300, tags: ['v2'], health: 'unhealthy' },
  ])
})

t.test('a sidecar whose instance is not known, and one that consul-k8s copied', async t => {
  t.match(endpoints([ofWeb]), [{ port: 21_000, mesh: peer('dc1', 'web'), tags: ['proxy'] }])
  const copied = { ...ofWeb, Service: { ...ofWeb.Service, Meta: { 'external-source': 'kubernetes', 'external-k8s-ns': 'shop' } } }
  t.same(endpoints([copied], { connect: true, ignoreKubernetesSynced: true }), [])
})

t.test('an instance that speaks the mesh itself takes nothing else, whatever the settings', async t => {
  const native = entry({ Connect: { Native: true } })
  t.match(endpoints([native], {}), [{ port: 8080, mesh: peer('dc1', 'web') }])
  t.match(endpoints([native, { ...native, viaConnect: true }]), [{ port: 8080, mesh: peer('dc1', 'web') }])
})

t.test('sidecars as services of their own are in the mesh too, once the gateway speaks to it', async t => {
  const own = { ...ofWeb, viaConnect: undefined }
  const { viaConnect: _, ...plain } = own
  t.same(endpoints([plain], {}), [])
  t.match(endpoints([plain], { mesh: true, connect: true }), [{ mesh: peer('dc1', 'web') }])
  t.match(endpoints([plain], { mesh: true }), [{ mesh: undefined }])
})

t.test('without leaf and roots peers are locked; with both they have an identity, and the key is in no text', async t => {
  const leaf = { CertPEM: 'CERT', PrivateKeyPEM: 'SECRET' }
  const roots = { TrustDomain: 'td.consul', Roots: [{ RootCert: 'A\n' }, { RootCert: 'B' }] }
  t.match(new ConnectCa('dc1', {}).peerOf('dc1', 'web'), { locked: /connect: true on the source dc1/ })
  const ca = new ConnectCa('dc1', { connect: true })
  let told = 0
  ca.onChange(() => told++)
  t.match(ca.peerOf('dc1', 'web'), { locked: /has not given the source dc1/ })
  for (const odd of [null, 'x', {}, { CertPEM: 'x' }, { CertPEM: '', PrivateKeyPEM: 'x' }]) t.equal(ca.takeLeaf(odd), undefined)
  for (const odd of [null, {}, { TrustDomain: 'x', Roots: [] }, { TrustDomain: 'x', Roots: [{}] }]) t.equal(ca.takeRoots(odd), undefined)
  t.equal(told, 0)
  t.equal(ca.takeLeaf(leaf), false)
  t.same(ca.list(), [])
  t.equal(ca.takeRoots(roots), true)
  const reached = {
    identity: 'spiffe://td.consul/ns/default/dc/dc2/svc/web',
    certificate: 'connect/dc1/leaf',
    validation: 'connect/dc1/roots',
  }
  t.same(ca.peerOf('dc2', 'web'), reached)
  t.match(ca.list(), [
    { name: 'connect/dc1/leaf', certificateChain: 'CERT' },
    { name: 'connect/dc1/roots', trustedCa: 'A\nB\n' },
  ])
  t.notMatch(JSON.stringify(ca.list()), 'SECRET')
  t.equal(ca.takeLeaf({ ...leaf, PrivateKeyPEM: 'NEXT' }), false, 'a renewal changes no endpoint')
  t.equal(told, 3)
  t.equal(ca.takeRoots({ ...roots, TrustDomain: 'other' }), true)
})

t.test('intentions: the one of the highest precedence decides, the default policy where none fits', t => {
  const one = (DestinationName: string, Action: string, Precedence: number) => ({ DestinationName, Action, Precedence })
  const any = (action: string) => one('*', action, 8)
  const cases: [list: object[] | null, policy: string | undefined, denied: RegExp | undefined][] = [
    [null, 'allow', undefined],
    [null, undefined, undefined],
    [[], 'deny', /^no intention allows edge to speak to web.*consul intention create edge web/],
    [[one('other', 'deny', 9)], 'allow', undefined],
    [[any('deny'), one('web', 'allow', 9)], 'deny', undefined],
    [[any('allow'), one('web', 'deny', 9)], 'allow', /^an intention denies edge to speak to web/],
    [[any('deny')], 'allow', /^an intention denies/],
    // Permissions decide request by request.
    [[one('web', '', 9)], 'deny', undefined],
  ]
  for (const [list, policy, denied] of cases) {
    const ca = new ConnectCa('dc1', { connect: 'edge' })
    t.equal(ca.takeIntentions({ edge: list }, policy), true)
    const reason = ca.deniedBy('web')
    if (denied === undefined) t.equal(reason, undefined, JSON.stringify(list))
    else t.match(reason, { code: 'intention-denied', text: denied })
    t.equal(ca.takeIntentions({ edge: list }, policy), false, 'the same once more changes nothing')
  }
  for (const odd of [undefined, 'x', {}, { edge: 1 }, { edge: [null] }, { edge: [{ DestinationName: 'web' }] }])
    t.equal(new ConnectCa('dc1', { connect: 'edge' }).takeIntentions(odd, 'allow'), undefined)
  t.end()
})

/** A client whose reads are answered by hand. */
function byHand() {
  const asked = new Map<string, { readonly query: ConsulQuery; answer(index: string | undefined, body: unknown, more?: object): void }>()
  const read = (which: string) => (_: string, query: ConsulQuery) =>
    new Promise<ConsulAnswer>((resolve, reject) => {
      query.signal.addEventListener('abort', () => reject(new Error('aborted')))
      asked.set(which, {
        query,
        answer: (index, body, more = {}) =>
          resolve({ status: 200, headers: { ...(index === undefined ? {} : { 'x-consul-index': index }), ...more }, body }),
      })
    })
  const client = { healthService: read('service'), healthConnect: read('mesh') } as unknown as ConsulClient
  return { client: withSidecars(client), asked }
}

const query = (index?: string): ConsulQuery => ({ index, waitSeconds: 60, signal: new AbortController().signal })

t.test('a service and its sidecars are one answer; either ends the wait, and the other one is given up', async t => {
  const { client, asked } = byHand()
  const first = client.healthService('web', query())
  asked.get('service')?.answer('5', ['a'])
  asked.get('mesh')?.answer('7', [{ p: 1 }], { 'x-consul-results-filtered-by-acls': 'true' })
  const { headers, body } = await first
  t.match(headers, { 'x-consul-index': '12', 'x-consul-results-filtered-by-acls': 'true' }, 'a doubt about one is one about both')
  t.same(body, ['a', { p: 1, viaConnect: true }])
  const second = client.healthService('web', query('12'))
  t.equal(asked.get('service')?.query.index, '5')
  const other = asked.get('service')?.query.signal
  asked.get('mesh')?.answer('9', [])
  t.match(await second, { headers: { 'x-consul-index': '14' }, body: ['a'] })
  t.ok(other?.aborted)
  const back = client.healthService('web', query('14'))
  asked.get('mesh')?.answer('3', [])
  t.match(await back, { headers: { 'x-consul-index': '3' } }, 'an index that goes back is below the sum: it is refused')
  const odd = client.healthService('web', query())
  asked.get('service')?.answer('5', ['a'])
  asked.get('mesh')?.answer('7', null)
  t.equal((await odd).body, null, 'what is no list is no half of an answer')
})
