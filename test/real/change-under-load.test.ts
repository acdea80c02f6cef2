import t, { type Test } from 'tap'
import { type Backend, startBackends } from '../tools/http-backend.ts'
import { type Load, startLoad } from '../tools/load.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

const rounds = 15
/** So many requests of each load go out in each state of things. */
const perRound = 10

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`no request fails while routes and clusters come, move and go (${protocol}; xds.md O2, O3)`, async t => {
    const [one, two] = await startBackends(t, 3)
    const stage = await startStage(t, { protocol })
    // An address and port belong to one agent at a time, which may offer any number of services there.
    const offered = new Map<Backend, ReturnType<typeof vmService>[]>([
      [one, [vmService('steady', one.port), vmService('s-0', one.port)]],
      [two, []],
    ])
    await stage.registerVm(one.instance, offered.get(one) ?? [])
    const steady = mappingObject('steady', { prefix: '/steady/', service: 'steady' })
    await stage.manifests('web', [steady, mappingObject('moving', { prefix: '/moving/', service: 's-0' })])
    await stage.answers('/moving/', answer => answer.status === 200)
    await stage.answers('/steady/', answer => answer.status === 200)
    const loads = loadOn(stage, ['/steady/', '/moving/'])
    for (let round = 1; round <= rounds; round++) {
      const name = `s-${String(round)}`
      const backend = round % 2 === 0 ? one : two
      offered.get(backend)?.push(vmService(name, backend.port))
      await stage.registerVm(backend.instance, offered.get(backend) ?? [])
      const extra = `/extra-${String(round)}/`
      await stage.manifests('web', [
        steady,
        mappingObject('moving', { prefix: '/moving/', service: name }),
        mappingObject(`extra-${String(round)}`, { prefix: extra, service: 'steady' }),
        mappingObject(`own-${String(round)}`, { prefix: `/own-${String(round)}/`, service: `${name}:${String(backend.port)}` }),
      ])
      await stage.answers('/moving/', answer => answer.body.includes(backend.instance))
      for (const path of [extra, `/own-${String(round)}/`]) {
        const seen = await stage.answers(path, answer => answer.status !== 404)
        t.equal(seen.at(-1), 200, `${path}: a new route has its cluster and endpoints from the first request on`)
      }
      await stage.manifests('web', [steady, mappingObject('moving', { prefix: '/moving/', service: name })])
      const seen = await stage.answers(extra, answer => answer.status !== 200)
      t.equal(seen.at(-1), 404, 'a route goes before its cluster')
      await moreRequests(loads)
    }
    await stage.synced()
    await nothingFailed(t, loads)
    const { cluster_statuses: clusters = [] } = await stage.envoy.clusters()
    t.notOk(
      clusters.some(cluster => /s-1\b/.test(cluster.name)),
      'clusters that nothing needs are gone',
    )
  })

  t.test(`no request fails while endpoints come, drain, move and go (${protocol})`, async t => {
    const [fixed, left, right] = await startBackends(t, 3)
    const stage = await startStage(t, { protocol })
    await stage.registerVm('fixed', [vmService('pool', fixed.port)])
    await stage.registerVm('mover', [vmService('lone', left.port)])
    await stage.manifests('web', [
      mappingObject('pool', { prefix: '/pool/', service: 'pool' }),
      mappingObject('lone', { prefix: '/lone/', service: 'lone' }),
    ])
    await stage.answers('/pool/', answer => answer.status === 200)
    await stage.answers('/lone/', answer => answer.status === 200)
    const loads = loadOn(stage, ['/pool/', '/lone/'])
    for (let round = 1; round <= rounds; round++) {
      const [guest] = await startBackends(t, 1, { name: `guest-${String(round)}` })
      const to = round % 2 === 0 ? left : right
      try {
        await stage.registerVm('mover', [vmService('lone', to.port)])
        await stage.registerVm('guest', [vmService('pool', guest.port)])
        await stage.answers('/lone/', answer => answer.body.includes(to.instance))
        await stage.answers('/pool/', answer => answer.body.includes(guest.instance))
        await moreRequests(loads)
        if (round % 2 === 0) {
          await stage.registerVm('guest', [vmService('pool', guest.port, { health: 'draining' })])
          await eventually('a draining endpoint takes no more requests', () => isIdle(stage, guest))
        }
        await fetch(`${stage.agentsUrl}/v1/registrations/guest`, { method: 'DELETE' })
        await eventually('Envoy no longer has the endpoint', async () => !(await hosts(stage)).has(guest.port))
        await eventually('Envoy closed its connections', async () => (await guest.connections()) === 0)
      } finally {
        await guest.stop()
      }
    }
    await stage.synced()
    await nothingFailed(t, loads)
  })
}

function loadOn(stage: Stage, paths: readonly string[]): readonly Load[] {
  return paths.map(path => startLoad({ url: stage.url + path, requestsPerSecond: 100, maxSeconds: 90 }))
}

async function moreRequests(loads: readonly Load[]): Promise<void> {
  const wanted = loads.map(load => load.report().requests + perRound)
  await eventually('the load goes on', () => loads.every((load, index) => load.report().requests >= (wanted[index] ?? 0)))
}

async function nothingFailed(t: Test, loads: readonly Load[]): Promise<void> {
  for (const load of loads) {
    const report = await load.stop()
    t.same(report.failures, [])
    t.ok(report.requests > 100, 'there was load')
  }
}

/** Over some requests to the pool none reached it. */
async function isIdle(stage: Stage, backend: Backend): Promise<boolean> {
  const before = backend.requests
  for (let sent = 0; sent < 10; sent++) await get(`${stage.url}/pool/`)
  return backend.requests === before
}

/** Ports of all endpoints that Envoy has. */
async function hosts(stage: Stage): Promise<ReadonlySet<number | undefined>> {
  const { cluster_statuses: clusters = [] } = await stage.envoy.clusters()
  return new Set(clusters.flatMap(cluster => cluster.host_statuses ?? []).map(host => host.address.socket_address?.port_value))
}
