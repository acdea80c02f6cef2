import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice, startPods } from '../tools/kube-objects.ts'
import { startLoad } from '../tools/load.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { eventually } from '../tools/process.ts'
import { startKubeStage } from './kube-stage.ts'

/** Two clusters, three kubeconfigs that lead nowhere, and slices as nobody should write them, in one gateway. */

enterOwnNetwork()
t.setTimeout(120_000)
const [one, two] = await Promise.all([startKubeCluster(), startKubeCluster()])
t.teardown(() => Promise.all([one.stop(), two.stop()]))
const folder = await temporaryFolder(t)
const nowhere = await one.kubeconfigFile({ server: `https://127.0.0.1:${String(await freePort())}` })
const untrusted = await two.kubeconfigFile({ server: one.url })
const missing = join(folder, 'config')
const pods = { one: ['10.77.1.1', '10.77.1.2'], two: ['10.77.2.1', '10.77.2.2'] }
const all = [...pods.one, ...pods.two]
await startPods(t, [...all, '10.77.1.3'])
const slices = (addresses: readonly string[]): KubeManifest =>
  endpointSlice(
    'web',
    'web',
    addresses.map(address => ({ address })),
  )
await Promise.all([one.apply(slices(pods.one)), two.apply(slices(pods.two))])
const source = (name: string, kubeconfig: string) => ({ name, type: 'kubernetes', kubeconfig })
const stage = await startKubeStage(
  t,
  [
    { ...source('one', await one.kubeconfigFile()), addresses: { only: ['10.77.0.0/16'] } },
    source('two', await two.kubeconfigFile()),
    source('nowhere', nowhere),
    source('untrusted', untrusted),
    source('missing', missing),
  ],
  ['web', 'odd', 'thousand'],
  { startup: { gateSeconds: 2 } },
)

t.test('kubeconfigs that lead nowhere are named, each with what is wrong; the others are served when the gate opens', async t => {
  await stage.untilHosts('default/web', all)
  for (const [name, code, text] of [
    ['nowhere', 'kubernetes-unreachable', /ECONNREFUSED/],
    ['untrusted', 'kubernetes-unreachable', /certificate/],
    ['missing', 'kubernetes-unreachable', /config cannot be read: ENOENT/],
  ] as const)
    await eventually(name, async () => {
      const { state, error } = await stage.source(name)
      return state === 'syncing' && error?.code === code && text.test(error.text)
    })
  for (const name of ['one', 'two']) t.match(await stage.source(name), { state: 'live', error: null, endpoints: 2 })
})

t.test('two clusters are one pool, and each fails by itself', async t => {
  const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 60 })
  await two.kill()
  await eventually('it is named', async () => (await stage.source('two')).state === 'stale')
  await one.apply(slices([...pods.one, '10.77.1.3']))
  await stage.untilHosts('default/web', [...all, '10.77.1.3'])
  t.match(await stage.source('one'), { state: 'live', error: null })
  await two.restart()
  await eventually('it is well again', async () => (await stage.source('two')).state === 'live')
  await one.apply(slices(pods.one))
  await stage.untilHosts('default/web', all)
  const report = await load.stop()
  t.same(report.failures, [])
  t.equal(report.instances.size, 5)
})

t.test('a kubeconfig that is put right is used without a restart; what two sources have is one endpoint', async t => {
  await writeFile(nowhere, two.kubeconfig())
  await writeFile(untrusted, two.kubeconfig())
  await writeFile(missing, two.kubeconfig())
  for (const name of ['nowhere', 'untrusted', 'missing'])
    await eventually(name, async () => (await stage.source(name)).state === 'live', 60_000)
  t.equal((await stage.hosts('default/web')).size, 4)
})

t.test('odd slices: nil conditions and ports, host names, forbidden addresses, 1,000 endpoints', async t => {
  const odd = (name: string, more: Readonly<Record<string, unknown>>): KubeManifest => ({ ...endpointSlice(name, 'odd', []), ...more })
  const at = (address: string) => ({ endpoints: [{ addresses: [address] }] })
  await t.rejects(one.apply(odd('loopback', at('127.0.0.1'))), /422.*loopback/, 'the API server itself refuses it')
  await one.apply(
    odd('nil-conditions', at('10.77.1.1')),
    odd('nil-ports', { ...at('10.77.1.2'), ports: null }),
    odd('nil-port', { ...at('10.77.1.2'), ports: [{ name: 'http' }] }),
    odd('names', { ...at('pod.example.com'), addressType: 'FQDN' }),
    odd('outside', at('192.0.2.7')),
    odd('empty', {}),
    endpointSlice(
      'thousand',
      'thousand',
      Array.from({ length: 1000 }, (_, index) => ({
        address: `10.77.${String(100 + Math.floor(index / 250))}.${String(1 + (index % 250))}`,
      })),
    ),
  )
  await eventually('a thousand', async () => (await stage.hosts('default/thousand')).size === 1000)
  await stage.untilHosts('default/odd', ['10.77.1.1'])
  const { state, notices, error } = await stage.source('one')
  t.match({ state, error }, { state: 'live', error: null })
  const [notice = '', ...others] = notices
  t.match(notice, /^4 parts of slices or Services are left out: /)
  for (const [name, reason] of [
    ['nil-ports', 'no port'],
    ['nil-port', 'has no number'],
    ['names', 'host names'],
    ['outside', '192.0.2.7'],
  ])
    t.match(notice, new RegExp(`default/${name ?? ''}: [^;]*${reason ?? ''}`))
  t.same(others, [])
})
