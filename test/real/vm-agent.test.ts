import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Backend, startBackends } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import { type Child, eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, type StageOptions, startStage } from './stage.ts'

interface Agents {
  readonly items: readonly { readonly agentId: string; readonly state: string; readonly epoch: number; readonly ageSeconds: number }[]
}

interface Proxies {
  readonly items: readonly { readonly streams: number }[]
}

/** The real agent beside a backend of its own. */
async function startAgent(t: Test, stage: Stage, id: string, backend: Backend, more: readonly string[] = []): Promise<Child> {
  const agent = await startProcess(process.execPath, [
    join(repository, 'vm-agent/src/main.ts'),
    ...['--gateway', stage.agentsUrl, '--id', id, '--address', '127.0.0.1', '--ttl', '3'],
    ...['--service', `name=web,port=${String(backend.port)},check=http:/health`],
    ...['--probe-interval', '0.2', '--rise', '1', '--drain-seconds', '1', ...more],
  ])
  t.teardown(() => agent.stop())
  return agent
}

async function agentOf(stage: Stage, id: string): Promise<Agents['items'][number] | undefined> {
  return (await stage.api<Agents>('/api/v1/agents')).items.find(one => one.agentId === id)
}

async function start(
  t: Test,
  settings: Readonly<Record<string, unknown>> = {},
  more: Pick<StageOptions, 'protocol' | 'place' | 'ownProcess'> = {},
) {
  const [one, two] = await startBackends(t, 2)
  const stage = await startStage(t, { settings, ownProcess: true, ...more })
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  return { stage, one, two }
}

t.test('two agents serve one service; the one that is stopped drains and leaves, and no request fails', async t => {
  const { stage, one, two } = await start(t)
  const stays = await startAgent(t, stage, 'stays', one)
  const leaves = await startAgent(t, stage, 'leaves', two)
  for (const { instance } of [one, two]) await stage.answers('/web/', answer => answer.body.includes(instance))

  const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 150 })
  leaves.signal('SIGTERM')
  await eventually('the lease is draining', async () => (await agentOf(stage, 'leaves'))?.state === 'draining')
  t.same(await leaves.exited, { code: 0, signal: null })
  await eventually('the lease is gone', async () => (await agentOf(stage, 'leaves')) === undefined)
  // The machine goes down once nobody is connected to it any more.
  await eventually('Envoy has closed its connections', async () => (await two.connections()) === 0)
  await two.stop()
  const { requests } = load.report()
  await eventually('the load goes on', () => load.report().requests > requests + 50)
  const report = await load.stop()
  t.same(report.failures, [])
  t.ok((report.instances.get(one.instance) ?? 0) > 0)
  t.same(await stays.stop(), { code: 0, signal: null })
  await stage.answers('/web/', answer => answer.status === 503)
})

t.test('a probe that fails takes the endpoint out, and one that passes puts it in again', async t => {
  const { stage, one } = await start(t)
  await startAgent(t, stage, 'vm', one)
  await stage.answers('/web/', answer => answer.status === 200)
  one.status = 500
  await stage.answers('/web/', answer => answer.status === 503)
  t.match(await agentOf(stage, 'vm'), { state: 'up' }, 'the lease stays: the machine is there, its service is not')
  one.status = 200
  await stage.answers('/web/', answer => answer.status === 200)
})

t.test('agents say where they are: an Envoy uses those of its zone, then of its region, and the rest when there is no other', async t => {
  const { stage, one, two } = await start(t, {}, { place: { zone: 'a', region: 'north' }, ownProcess: false })
  const [far] = await startBackends(t, 1, { name: 'far' })
  const spec = { locality: { prefer: 'zone' }, members: [{ vm: { service: 'web' } }] }
  await stage.manifests('pool', [{ apiVersion: 'isthmus.dev/v1alpha1', kind: 'ServicePool', metadata: { name: 'web' }, spec }])
  await startAgent(t, stage, 'far', far)
  await stage.answers('/web/', answer => answer.body.includes(far.instance))
  const nearby = await startAgent(t, stage, 'nearby', two, ['--zone', 'b', '--region', 'north'])
  const near = await startAgent(t, stage, 'near', one, ['--zone', 'a', '--region', 'north'])
  const isAll = (backend: Backend) =>
    eventually(`${backend.instance} alone answers`, async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => get(`${stage.url}/web/`)))
      return answers.every(({ body }) => body.includes(backend.instance))
    })
  await isAll(one)
  t.match(await stage.api('/api/v1/services/default/web/endpoints'), {
    items: [far, two, one]
      .map(({ port }, index) => ({ port, locality: [{ zone: '' }, { zone: 'b' }, { zone: 'a', region: 'north' }][index] }))
      .sort((x, y) => x.port - y.port),
  })
  await near.stop()
  await isAll(two)
  await nearby.stop()
  await isAll(far)
})

t.test('a gateway that is killed and started again has its leases: no request fails, and renewals go on', async t => {
  const { stage, one } = await start(t, { state: { path: './state' } })
  await startAgent(t, stage, 'vm', one)
  await stage.answers('/web/', answer => answer.status === 200)
  const before = await agentOf(stage, 'vm')
  const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 100 })
  await stage.stopGateway('kill')
  await stage.startGateway()
  await stage.synced()
  t.match(await agentOf(stage, 'vm'), { state: 'up', epoch: before?.epoch ?? 0 })
  const { ageSeconds = 0 } = (await agentOf(stage, 'vm')) ?? {}
  await eventually('a renewal arrives', async () => ((await agentOf(stage, 'vm'))?.ageSeconds ?? Infinity) < ageSeconds)
  const report = await load.stop()
  t.same(report.failures, [])
})

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`a gateway comes back without its leases: Envoy keeps what it has until the agent is back (${protocol})`, async t => {
    const { stage, one } = await start(t, { state: { path: './state' } }, { protocol })
    const agent = await startAgent(t, stage, 'vm', one)
    await stage.answers('/web/', answer => answer.status === 200)
    const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 100 })
    await stage.stopGateway('kill')
    // The agent is away for longer than Envoy takes to come back, so that its assignment is without endpoints meanwhile.
    agent.signal('SIGSTOP')
    await rm(join(stage.folder, 'state'), { recursive: true })
    await stage.startGateway()
    await eventually('Envoy is back', async () => (await stage.api<Proxies>('/api/v1/proxies')).items.some(one => one.streams > 0))
    const { requests } = load.report()
    await eventually('Envoy goes on', () => load.report().requests > requests + 50)
    t.same((await stage.api<Agents>('/api/v1/agents')).items, [])
    agent.signal('SIGCONT')
    await eventually('the agent registers again by itself', async () => (await agentOf(stage, 'vm'))?.state === 'up')
    await stage.synced()
    t.match(agent.output(), /does not know this lease/)
    const report = await load.stop()
    t.same(report.failures, [])
    // The grace is over once Envoy is in sync: from now on it follows.
    await agent.stop()
    await stage.answers('/web/', answer => answer.status === 503)
  })
}
