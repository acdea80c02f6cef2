import t, { type Test } from 'tap'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice, type PodEntry, podName, startPods } from '../tools/kube-objects.ts'
import { type Load, startLoad } from '../tools/load.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { eventually } from '../tools/process.ts'
import { startTcpProxy } from '../tools/tcp-proxy.ts'
import { killWithinChurn } from './api-server-outage.ts'
import { startKubeStage } from './kube-stage.ts'

/** Requests go through Envoy to pods throughout, and none of them may fail, whatever happens to pods and to the API server. */

enterOwnNetwork()
t.setTimeout(170_000)
const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
const proxy = await startTcpProxy(t, cluster.port)
const kubeconfig = await cluster.kubeconfigFile({ server: `https://127.0.0.1:${String(proxy.port)}` })
const source = { name: 'cluster', type: 'kubernetes', kubeconfig, guards: { emptyHoldSeconds: 1 } }
const stage = await startKubeStage(
  t,
  [{ ...source, watches: { relistSeconds: 1.5, stallSeconds: 4 } }],
  ['web', 'old', 'big', 'other', 'one'],
)
const block = (third: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `10.77.${String(third)}.${String(index + 1)}`)
const loadOn = (path: string, requestsPerSecond = 60): Load => startLoad({ url: stage.url + path, requestsPerSecond, maxSeconds: 120 })

async function nothingFailed(test: Test, load: Load): Promise<void> {
  const report = await load.stop()
  test.same(report.failures, [])
  test.ok(report.requests > 20, 'there was load')
}

async function moreRequests(load: Load, count = 20): Promise<void> {
  const wanted = load.report().requests + count
  await eventually('the load goes on', () => load.report().requests >= wanted)
}

t.test(
  'a rolling replacement: each new pod becomes ready, each old one terminates, serves no more and goes (discovery.md 3.1)',
  async t => {
    const [olds, news] = [block(1, 4), block(2, 4)]
    const pods = await startPods(t, [...olds, ...news])
    const state = new Map<string, Omit<PodEntry, 'address'>>(olds.map(address => [address, { ready: true, serving: true }]))
    const set = async (address: string, conditions: Omit<PodEntry, 'address'> | undefined): Promise<void> => {
      if (conditions === undefined) state.delete(address)
      else state.set(address, conditions)
      const entries = [...state].map(([each, more]) => ({ address: each, ...more }))
      await cluster.apply(endpointSlice('web', 'web', entries))
    }
    await set(olds[0] ?? '', { ready: true, serving: true })
    await stage.untilHosts('default/web', olds)
    const load = loadOn('/web/')
    await moreRequests(load)
    for (const [index, old] of olds.entries()) {
      const next = news[index] ?? ''
      const pod = pods[index]
      await set(next, { ready: false, serving: false })
      await set(next, { ready: true, serving: true })
      await eventually('the new one is in', async () => (await stage.hosts('default/web')).get(next) === 'HEALTHY')
      await set(old, { ready: false, serving: true, terminating: true })
      await eventually('the old one drains', async () => (await stage.hosts('default/web')).get(old) === 'DRAINING')
      const before = pod?.requests
      await moreRequests(load)
      t.equal(pod?.requests, before, 'it gets nothing new')
      await set(old, { ready: false, serving: false, terminating: true })
      await pod?.stop()
      await set(old, undefined)
      await eventually('the old one is gone', async () => !(await stage.hosts('default/web')).has(old))
    }
    await stage.untilHosts('default/web', news)
    await nothingFailed(t, load)
  },
)

t.test('the only pod goes before its successor is ready: it serves as the last resort (KEP-1669)', async t => {
  const [old = '', next = ''] = block(3, 2)
  await startPods(t, [old, next])
  await cluster.apply(endpointSlice('one', 'one', [{ address: old }]))
  await stage.untilHosts('default/one', [old])
  const load = loadOn('/one/')
  const going = { address: old, ready: false, serving: true, terminating: true }
  await cluster.apply(endpointSlice('one', 'one', [going, { address: next, ready: false }]))
  await eventually('the new one is known', async () => (await stage.hosts('default/one')).has(next))
  await moreRequests(load, 40)
  t.notOk(load.report().instances.has(podName(next)))
  await cluster.apply(endpointSlice('one', 'one', [going, { address: next, ready: true }]))
  await eventually('the new one answers', () => load.report().instances.has(podName(next)))
  await cluster.apply(endpointSlice('one', 'one', [{ address: next }]))
  await stage.untilHosts('default/one', [next])
  await nothingFailed(t, load)
})

t.test('1 pod becomes 300 over three slices, some of another Service, and 1 again; nothing is left behind', async t => {
  const all = [...block(10, 100), ...block(11, 100), ...block(12, 100)]
  const [first = ''] = all
  await startPods(t, all)
  const third = (index: number, service = 'big', size = 100): KubeManifest =>
    endpointSlice(
      `big-${String(index)}`,
      service,
      all.slice(index * 100, index * 100 + size).map(address => ({ address })),
    )
  await cluster.apply(third(0, 'big', 1))
  await stage.untilHosts('default/big', [first])
  const load = loadOn('/big/', 150)
  await cluster.apply(third(0), third(1), third(2))
  await stage.untilHosts('default/big', all)
  await eventually('every one of 300 answers', () => load.report().instances.size === 300, 40_000)
  await cluster.apply(third(2, 'other'))
  await stage.untilHosts('default/big', all.slice(0, 200))
  await stage.untilHosts('default/other', all.slice(200))
  await cluster.delete(third(1))
  await cluster.apply(third(0, 'big', 1))
  await stage.untilHosts('default/big', [first])
  await cluster.delete(third(2))
  await eventually('the other Service has nobody', async () => (await stage.hosts('default/other')).size === 0)
  t.same([...(await stage.hosts('default/big')).keys()], [first])
  await nothingFailed(t, load)
})

t.test('the API server is killed within churn', async t => {
  const pods = block(20, 6)
  await startPods(t, [...pods, '10.77.21.1'])
  await cluster.apply(endpointSlice('web', 'web', []))
  await killWithinChurn(t, { stage, cluster, pods, old: '10.77.21.1', seconds: 1 })
})

t.test('a bad network between: slow, without an end, cut while etcd forgets (410), an API server that stands still', async t => {
  const [one = '', two = '', three = '', four = '', five = ''] = block(30, 5)
  const pods = [one, two, three, four, five]
  await startPods(t, pods)
  const put = (count: number): Promise<void> =>
    cluster.apply(
      endpointSlice(
        'one',
        'one',
        pods.slice(0, count).map(address => ({ address })),
      ),
    )
  const arrives = (count: number): Promise<void> => stage.untilHosts('default/one', pods.slice(0, count))
  await put(1)
  await arrives(1)
  const load = loadOn('/one/')

  // Watches that exist relay nothing more, and nobody says so; new connections are slow.
  const stalls = await stage.watch('stalls')
  proxy.mode('silent')
  await put(2)
  proxy.delayMs = 150
  await eventually('silence is noticed', async () => (await stage.watch('stalls')) > stalls)
  proxy.mode('pass')
  await arrives(2)
  await put(3)
  await arrives(3)
  t.match(await stage.source(), { state: 'live', error: null })

  proxy.delayMs = 0
  proxy.mode('cut')
  await eventually('it is named', async () => (await stage.source()).error?.code === 'kubernetes-unreachable')
  const expired = await stage.watch('expired')
  await put(4)
  await cluster.compact()
  await cluster.restart()
  t.same([...(await stage.hosts('default/one')).keys()].sort(), pods.slice(0, 3))
  proxy.mode('pass')
  await arrives(4)
  t.ok((await stage.watch('expired')) > expired, 'the version it knew was gone (410)')

  cluster.freeze(true)
  await moreRequests(load)
  cluster.freeze(false)
  await put(5)
  await arrives(5)
  t.equal(await stage.watch('drift'), 0)
  await nothingFailed(t, load)
})
