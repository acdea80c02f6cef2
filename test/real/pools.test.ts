import { writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { type Backend, startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

/** ServicePools by real traffic through Envoy (reference/discovery.md 1.6; the "Modes"). */

function poolObject(spec: object): object {
  return { apiVersion: 'isthmus.dev/v1alpha1', kind: 'ServicePool', metadata: { name: 'payments', namespace: 'default' }, spec }
}

/** How many of `count` requests each instance answered; failures by status. */
async function share(stage: Stage, path: string, count: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (let done = 0; done < count; done += 20) {
    await Promise.all(
      Array.from({ length: Math.min(20, count - done) }, async () => {
        const response = await fetch(stage.url + path)
        const text = await response.text()
        const who = response.status === 200 ? (JSON.parse(text) as { instance: string }).instance : String(response.status)
        found[who] = (found[who] ?? 0) + 1
      }),
    )
  }
  return found
}

/** Binomial: one in a million is 4.9 standard deviations. */
function within(t: Test, seen: number, count: number, probability: number, what: string): void {
  const allowed = 4.9 * Math.sqrt(count * probability * (1 - probability))
  t.ok(
    Math.abs(seen - count * probability) <= allowed,
    `${what}: ${String(seen)} of ${String(count)}, expected ${String(count * probability)}`,
  )
}

interface Scene {
  readonly stage: Stage
  readonly backends: readonly Backend[]
  /** Writes the file source: which backends (from 0) the service `legacy` has, and with what health. */
  legacy(...instances: readonly (readonly [number, string?])[]): Promise<void>
  /** Registers backends as the VM service `new`. */
  modern(...instances: readonly (readonly [number, string?])[]): Promise<void>
}

/** Two registries that know the same logical service under different names: a file (VMs of old) and agents. */
async function scene(t: Test, count: number): Promise<Scene> {
  const backends = await startBackends(t, count)
  const stage = await startStage(t, {
    sources: [
      { name: 'vms', type: 'vm' },
      { name: 'files', type: 'file', path: './endpoints.yaml' },
    ],
    prepare: folder => writeFile(`${folder}/endpoints.yaml`, 'services: []\n'),
  })
  const port = (index: number) => backends[index]?.port ?? 0
  return {
    stage,
    backends,
    async legacy(...instances) {
      const endpoints = instances.map(([index, health = 'healthy']) => ({ address: '127.0.0.1', port: port(index), health }))
      await stage.file('endpoints.yaml', JSON.stringify({ services: [{ name: 'legacy', namespace: 'default', endpoints }] }))
    },
    async modern(...instances) {
      for (const [index, health = 'healthy'] of instances)
        await stage.registerVm(`vm-${String(index)}`, [vmService('modern', port(index), { health })])
    },
  }
}

const file = { name: 'old', file: { service: 'legacy' } }
const vm = { name: 'new', vm: { service: 'modern' } }

/** Waits until the API says so many endpoints of the pool take requests at each priority. */
async function served(stage: Stage, ...expected: readonly number[]): Promise<void> {
  await eventually(`served ${expected.join(' and ')}`, async () => {
    const { priorities } = await stage.api<{ priorities?: readonly { served: number }[] }>('/api/v1/services/default/payments')
    return priorities !== undefined && priorities.map(one => one.served).join() === expected.join()
  })
  await stage.synced()
}

t.test(
  'weighted: percentages hold whatever the instance counts, also under a canary of the route; one side empty: the other takes all',
  async t => {
    const { stage, backends, legacy, modern } = await scene(t, 6)
    await legacy([0], [1], [2], [3])
    await modern([4])
    const weighted = (old: number) =>
      poolObject({
        mode: 'weighted',
        members: [
          { ...file, weight: old },
          { ...vm, weight: 100 - old },
        ],
      })
    await stage.manifests('pool', [weighted(80), mappingObject('pay', { prefix: '/pay/', service: 'payments' })])
    await served(stage, 5)
    await stage.answers('/pay/', answer => answer.body.includes('backend-5'))
    const count = 2000
    const sum = (found: Record<string, number>, ...names: readonly number[]) =>
      names.reduce((total, name) => total + (found[`backend-${String(name)}`] ?? 0), 0)
    const first = await share(stage, '/pay/', count)
    within(t, sum(first, 5), count, 0.2, 'one instance of the new side')
    t.equal(sum(first, 1, 2, 3, 4, 5), count, 'no request failed')

    // The slider moves: only endpoints are pushed.
    await stage.manifests('pool', [weighted(30), mappingObject('pay', { prefix: '/pay/', service: 'payments' })])
    await stage.synced()
    await eventually('the slider arrived', async () => sum(await share(stage, '/pay/', 100), 5) > 45)
    within(t, sum(await share(stage, '/pay/', count), 5), count, 0.7, 'after the slider moved')

    // Three of four instances fall ill: the side keeps its share.
    await legacy([0], [1, 'unhealthy'], [2, 'unhealthy'], [3, 'unhealthy'])
    await served(stage, 2)
    within(t, sum(await share(stage, '/pay/', count), 1), count, 0.3, 'one healthy instance of four')

    // Together with a split between routes: 40 % leave before, the rest keeps 30 to 70.
    await stage.registerVm('vm-5', [vmService('canary', backends[5]?.port ?? 0)])
    await stage.manifests('canary', [mappingObject('canary', { prefix: '/pay/', service: 'canary', weight: 40 })])
    await eventually('the canary answers', async () => sum(await share(stage, '/pay/', 50), 6) > 5)
    await stage.synced()
    const split = await share(stage, '/pay/', count)
    within(t, sum(split, 6), count, 0.4, 'the canary of the route')
    within(t, sum(split, 1), count, 0.6 * 0.3, 'the old side of the rest')
    within(t, sum(split, 5), count, 0.6 * 0.7, 'the new side of the rest')

    // One side is empty: the other takes its part, too, the canary keeps its own, and no request fails.
    await legacy()
    await eventually('the new side takes all that the canary leaves', async () => sum(await share(stage, '/pay/', 100), 5, 6) === 100)
    const left = await share(stage, '/pay/', count)
    within(t, sum(left, 6), count, 0.4, 'the canary while one side is empty')
    t.equal(sum(left, 5, 6), count, 'nothing fails')
    await stage.manifests('canary', [])
    await eventually('the new side takes all', async () => {
      const found = await share(stage, '/pay/', 100)
      return sum(found, 5) === 100
    })
    t.equal(sum(await share(stage, '/pay/', 200), 5), 200)
  },
)

t.test('failover: the next member only when the former has no healthy endpoint, however few are left; and back', async t => {
  const { stage, legacy, modern } = await scene(t, 5)
  await legacy([0], [1], [2])
  await modern([3])
  const pool = { mode: 'failover', members: [file, vm] }
  await stage.manifests('pool', [poolObject(pool), mappingObject('pay', { prefix: '/pay/', service: 'payments' })])
  await served(stage, 3, 1)
  await stage.answers('/pay/', answer => answer.status === 200)
  t.equal((await share(stage, '/pay/', 200))['backend-4'], undefined, 'the first member alone')

  await legacy([0], [1, 'unhealthy'], [2, 'unhealthy'])
  await served(stage, 1, 1)
  await eventually('those that are ill get nothing', async () => (await share(stage, '/pay/', 60))['backend-1'] === 60)
  t.same(await share(stage, '/pay/', 200), { 'backend-1': 200 }, 'one of three: still the first member alone')

  await legacy([0, 'unhealthy'], [1, 'unhealthy'], [2, 'unhealthy'])
  await served(stage, 0, 1)
  await eventually('failed over', async () => (await share(stage, '/pay/', 60))['backend-4'] === 60)
  await legacy()
  await eventually('empty as well', async () => (await share(stage, '/pay/', 60))['backend-4'] === 60)
  await legacy([2])
  await eventually('and back', async () => (await share(stage, '/pay/', 60))['backend-3'] === 60)
})

t.test('priority: levels without endpoints are passed over, a level that is half ill spills over to the next', async t => {
  const { stage, legacy, modern } = await scene(t, 5)
  await legacy([0], [1])
  await modern([2])
  const members = [
    { name: 'nobody', file: { service: 'nobody' }, priority: 1 },
    { ...file, priority: 5 },
    { ...vm, priority: 9 },
  ]
  await stage.manifests('pool', [poolObject({ mode: 'priority', members }), mappingObject('pay', { prefix: '/pay/', service: 'payments' })])
  await served(stage, 2, 1)
  await stage.answers('/pay/', answer => answer.status === 200)
  t.equal((await share(stage, '/pay/', 200))['backend-3'], undefined, 'all healthy: the first level alone')
  await legacy([0], [1, 'unhealthy'])
  await served(stage, 1, 1)
  await eventually('spilled', async () => ((await share(stage, '/pay/', 60))['backend-3'] ?? 0) > 0)
  const count = 1000
  // 140 % of one half: 70 percent stay.
  within(t, (await share(stage, '/pay/', count))['backend-1'] ?? 0, count, 0.7, 'half of the first level is ill')
})

t.test('a host name is a member like any other: the gateway looks it up, and fails over to it', async t => {
  const { stage, backends, modern } = await scene(t, 2)
  await modern([0])
  const named = { name: 'named', dns: { name: 'localhost', port: backends[1]?.port } }
  const pool = { mode: 'failover', drainSeconds: 0, members: [vm, named] }
  await stage.manifests('pool', [poolObject(pool), mappingObject('pay', { prefix: '/pay/', service: 'payments' })])
  await served(stage, 1, 1)
  await stage.answers('/pay/', answer => answer.status === 200)
  t.same(await share(stage, '/pay/', 60), { 'backend-1': 60 })
  await modern([0, 'unhealthy'])
  await eventually('failed over to the name', async () => (await share(stage, '/pay/', 60))['backend-2'] === 60)
  const { sources } = await stage.api<{ sources: readonly { name: string; state: string }[] }>('/api/v1/status')
  t.match(
    sources.find(one => one.name === 'pool-names'),
    { state: 'live' },
  )
})

t.test('an endpoint that is removed goes out as draining first, and is dropped after the drain window', async t => {
  const { stage, modern, legacy } = await scene(t, 2)
  await modern([0])
  await legacy([1])
  const pool = { members: [file, vm], drainSeconds: 2 }
  await stage.manifests('pool', [poolObject(pool), mappingObject('pay', { prefix: '/pay/', service: 'payments' })])
  await served(stage, 2)
  await legacy()
  type Endpoints = {
    readonly items: readonly { readonly health: string; readonly served: boolean; readonly reasons: readonly { readonly code: string }[] }[]
  }
  const endpoints = async () => (await stage.api<Endpoints>('/api/v1/services/default/payments/endpoints')).items
  await eventually('draining', async () => (await endpoints()).some(one => one.health === 'draining'))
  const gone = (await endpoints()).find(one => one.health === 'draining')
  t.match(gone, { served: false, reasons: [{ code: 'removed' }] })
  t.same(Object.keys(await share(stage, '/pay/', 60)), ['backend-1'])
  await eventually('dropped', async () => (await endpoints()).length === 1)
})

t.test('subsets: the wanted endpoints, those of the fallback when there are none that work, and nothing where none is allowed', async t => {
  const backends = await startBackends(t, 3)
  const stage = await startStage(t)
  const register = (index: number, health: string, more: object) =>
    stage.registerVm(`vm-${String(index)}`, [vmService('modern', backends[index]?.port ?? 0, { health, ...more })])
  const v1 = { meta: { version: '1' } }
  await register(0, 'healthy', v1)
  await register(1, 'healthy', { meta: { version: '2' } })
  await register(2, 'healthy', { tags: ['beta'] })
  const subsets = [
    { name: 'v1', match: { version: '1' }, fallback: 'v2' },
    { name: 'v2', match: { version: '2' } },
    { name: 'beta', match: { 'tag:beta': 'true' }, fallback: 'any' },
  ]
  await stage.manifests('pool', [
    poolObject({ members: [vm], subsets }),
    mappingObject('v1', { prefix: '/v1/', service: 'payments#v1' }),
    mappingObject('v2', { prefix: '/v2/', service: 'payments#v2' }),
    mappingObject('beta', { prefix: '/beta/', service: 'payments#beta' }),
    mappingObject('v9', { prefix: '/v9/', service: 'payments#v9' }),
    mappingObject('none', { prefix: '/none/', service: 'nothing#v1' }),
  ])
  for (const [path, instance] of [
    ['/v1/', 1],
    ['/v2/', 2],
    ['/beta/', 3],
  ] as const) {
    await stage.answers(path, answer => answer.status === 200)
    t.same(await share(stage, path, 60), { [`backend-${String(instance)}`]: 60 }, path)
  }
  type Objects = { readonly items: readonly { readonly name: string; readonly problems: readonly { readonly text: string }[] }[] }
  const { items } = await stage.api<Objects>('/api/v1/objects?state=refused')
  t.match(items, [
    { name: 'none', problems: [{ text: /there is no ServicePool of this name/ }] },
    { name: 'v9', problems: [{ text: /no subset "v9"/ }] },
  ])
  await register(0, 'unhealthy', v1)
  await eventually('v1 falls back to v2', async () => (await share(stage, '/v1/', 40))['backend-2'] === 40)
  await register(1, 'unhealthy', { meta: { version: '2' } })
  await eventually('v2 falls back to nothing', async () => (await share(stage, '/v2/', 20))['503'] === 20)
  await eventually('so does v1', async () => (await share(stage, '/v1/', 20))['503'] === 20)
})

t.test('active health checks and outlier detection of a pool take out what the registries believe to be well', async t => {
  const { stage, backends, modern } = await scene(t, 2)
  await modern([0], [1])
  const checks = [{ timeout: '300ms', interval: '200ms', unhealthy_threshold: 1, health_check: { http: { path: '/health' } } }]
  await stage.manifests('pool', [
    poolObject({ members: [vm], healthChecks: checks, slowStartSeconds: 1, outlierDetection: { consecutive5xx: 3 } }),
    mappingObject('pay', { prefix: '/pay/', service: 'payments' }),
  ])
  await served(stage, 2)
  await eventually(
    'both answer',
    async () =>
      Object.keys(await share(stage, '/pay/', 40))
        .sort()
        .join() === 'backend-1,backend-2',
  )
  const ill = backends[0]
  if (ill !== undefined) ill.status = 500
  await eventually('the one that fails its checks gets nothing', async () => (await share(stage, '/pay/', 40))['backend-2'] === 40)
})
