import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { consulPlugin } from '../../../plugins/consul/index.ts'
import type { ConsulSettings } from '../../../plugins/consul/settings.ts'
import type { Endpoint } from '../../../src/model/endpoint.ts'
import { makeGiven, type Recording, startRun } from '../../contract/harness.ts'
import { type ConsulAgent, type ConsulOptions, startConsul } from '../../tools/consul-agent.ts'
import { temporaryFolder } from '../../tools/local.ts'
import { eventually } from '../../tools/process.ts'

/** The rules of reference/discovery.md 2 against a real Consul: what a fake one would only repeat as we believe it to be. */

async function consulOf(t: Test, options?: ConsulOptions): Promise<ConsulAgent> {
  const consul = await startConsul(options)
  t.teardown(() => consul.stop())
  return consul
}

/** A synced source of this Consul. */
async function follow(t: Test, consul: ConsulAgent, settings: ConsulSettings = {}): Promise<Recording> {
  const run = startRun(consulPlugin.create({ address: consul.url, ...settings }, makeGiven()).source)
  t.teardown(() => run.stop())
  await run.recording.until(() => run.recording.syncs > 0)
  return run.recording
}

const endpointsOf = (recording: Recording, service: string): readonly Endpoint[] => recording.groups.get(service)?.endpoints ?? []
const untilFirst = (recording: Recording, service: string, holds: (endpoint: Endpoint) => boolean): Promise<void> =>
  recording.until(() => {
    const [first] = endpointsOf(recording, service)
    return first !== undefined && holds(first)
  })
const codes = (endpoint: Endpoint | undefined): string[] => (endpoint?.reasons ?? []).map(reason => reason.code)
const notices = (recording: Recording): string[] =>
  recording.reports.flatMap(report => (report.ok && report.notice !== undefined ? [report.notice] : []))

t.test('a dev agent: what is registered, checked, maintained and deregistered', async t => {
  // Otherwise the agent keeps a check's output to itself for minutes, and there would be nothing to ignore.
  const consul = await consulOf(t, { config: { check_update_interval: '0s' } })

  await t.test('registration to deregistration, with weights, tags, meta and zone', async t => {
    const recording = await follow(t, consul)
    const meta = { version: '2', zone: 'rack-1' }
    await consul.register({ name: 'web', address: '10.1.0.1', port: 80, tags: ['v2'], meta, weights: { passing: 3, warning: 1 } })
    await recording.untilServed('default/web', '10.1.0.1:80')
    t.match(endpointsOf(recording, 'web'), [
      { id: 'test-node/web', health: 'healthy', weight: 300, tags: ['v2'], meta, locality: { region: 'dc1', zone: 'rack-1' } },
    ])
    await consul.register({ name: 'web', id: 'web-2', address: '10.1.0.2', port: 80 })
    await recording.untilServed('default/web', '10.1.0.1:80', '10.1.0.2:80')
    const [unchanged] = endpointsOf(recording, 'web')
    await consul.deregister('web-2')
    await recording.untilServed('default/web', '10.1.0.1:80')
    t.equal(endpointsOf(recording, 'web')[0], unchanged, 'an instance that did not change is the same object')
    await consul.deregister('web')
    await recording.untilServed('default/web')
    t.same(
      recording.emissions.at(-1)?.map(group => group.endpoints.length),
      [0],
    )
    t.notOk('default/consul' in recording.view(), 'Consul itself is no service to call')
  })

  await t.test('2.4: passing, warning, critical and back, with the weight for warnings', async t => {
    const recording = await follow(t, consul)
    await consul.register({ name: 'db', address: '10.1.1.1', port: 5432, ttl: '1h', weights: { passing: 4, warning: 2 } })
    await untilFirst(recording, 'db', one => one.health === 'healthy' && one.weight === 400)
    await consul.setCheck('db', 'warning')
    await untilFirst(recording, 'db', one => one.weight === 200)
    t.match(endpointsOf(recording, 'db'), [{ health: 'healthy', reasons: [{ code: 'check-warning', text: /Service 'db' check/ }] }])
    await consul.setCheck('db', 'critical')
    await untilFirst(recording, 'db', one => one.health === 'unhealthy')
    t.same(codes(endpointsOf(recording, 'db')[0]), ['check-critical'])
    await consul.setCheck('db', 'passing')
    await untilFirst(recording, 'db', one => one.health === 'healthy' && one.weight === 400)
  })

  await t.test('2.4: the output of a check changes nothing', async t => {
    const recording = await follow(t, consul)
    await consul.register({ name: 'noisy', address: '10.1.2.1', port: 80, ttl: '1h' })
    await recording.untilServed('default/noisy', '10.1.2.1:80')
    const before = recording.emissions.length
    const reads = (): number => recording.reports.filter(report => report.ok && report.scope === 'noisy').length
    const known = reads()
    await consul.setCheck('noisy', 'passing', { output: 'ran just now' })
    await recording.until(() => reads() > known)
    t.same(recording.emissions.slice(before), [], 'read, and nothing to tell')
  })

  await t.test('2.4: maintenance of an instance and of a node drains, with the reason that was given', async t => {
    const recording = await follow(t, consul)
    await consul.register({ name: 'shop', address: '10.1.3.1', port: 80, ttl: '1h' })
    await recording.untilServed('default/shop', '10.1.3.1:80')
    await consul.maintenance('shop', true, 'new disks')
    await untilFirst(recording, 'shop', one => one.health === 'draining')
    t.match(endpointsOf(recording, 'shop'), [{ reasons: [{ code: 'maintenance', text: /new disks/ }] }])
    await consul.maintenance('shop', false)
    await untilFirst(recording, 'shop', one => one.health === 'healthy')
    await consul.request('PUT', '/v1/agent/maintenance?enable=true&reason=kernel')
    await untilFirst(recording, 'shop', one => one.health === 'draining')
    t.match(endpointsOf(recording, 'shop'), [{ reasons: [{ code: 'maintenance', text: /node maintenance: kernel/ }] }])
    await consul.request('PUT', '/v1/agent/maintenance?enable=false')
    await untilFirst(recording, 'shop', one => one.health === 'healthy')
  })

  await t.test('2.4: a node that the others cannot reach makes its instances unhealthy and suspect', async t => {
    const recording = await follow(t, consul)
    const serf = (Status: string): unknown => ({ Node: 'far', CheckID: 'serfHealth', Name: 'Serf Health Status', Status })
    const node = (Status: string): Promise<unknown> =>
      consul.request('PUT', '/v1/catalog/register', {
        Node: 'far',
        Address: '10.1.4.9',
        Service: { ID: 'far-1', Service: 'far', Port: 80 },
        Checks: [serf(Status)],
      })
    await node('passing')
    await recording.untilServed('default/far', '10.1.4.9:80')
    t.match(endpointsOf(recording, 'far'), [{ id: 'far/far-1', health: 'healthy', presence: 'live' }], 'the address is the node’s own')
    await node('critical')
    await untilFirst(recording, 'far', one => one.presence === 'suspect')
    t.match(endpointsOf(recording, 'far'), [{ health: 'unhealthy', reasons: [{ code: 'serf-critical' }] }])
    await node('passing')
    await untilFirst(recording, 'far', one => one.presence === 'live' && one.health === 'healthy')
  })

  await t.test('1.3: sidecars are left out, an unusable instance is named, and takes nobody with it', async t => {
    const recording = await follow(t, consul)
    await consul.register({ name: 'mixed', id: 'good', address: '10.1.5.1', port: 80 })
    await consul.register({ name: 'mixed', id: 'named', address: 'mixed.example', port: 80 })
    await consul.register({ name: 'mixed', id: 'portless', address: '10.1.5.2' })
    await consul.register({
      name: 'mixed-proxy',
      address: '10.1.5.3',
      port: 21_000,
      extra: { Kind: 'connect-proxy', Proxy: { DestinationServiceName: 'mixed' } },
    })
    await recording.untilServed('default/mixed', '10.1.5.1:80')
    await recording.until(() => notices(recording).some(text => text.startsWith('2 instances are left out')))
    t.match(notices(recording).at(-1), /mixed test-node\/(named: mixed\.example is no IP|portless: port 0)/)
    t.notOk('default/mixed-proxy' in recording.view())
    for (const id of ['named', 'portless']) await consul.deregister(id)
    await recording.until(() => notices(recording).at(-1) === '')
  })

  await t.test('named ports of one instance', async t => {
    const recording = await follow(t, consul)
    const Ports = [
      { Name: 'http', Port: 8080, Default: true },
      { Name: 'admin', Port: 9090 },
    ]
    await consul.register({ name: 'multi', address: '10.1.6.1', extra: { Ports } })
    await recording.untilServed('default/multi', '10.1.6.1:8080', '10.1.6.1:9090')
    t.match(endpointsOf(recording, 'multi'), [{ portName: 'http' }, { portName: 'admin' }])
  })

  await t.test('a datacenter that does not exist is an error that says so', async t => {
    const run = startRun(consulPlugin.create({ address: consul.url, datacenter: 'nowhere' }, makeGiven()).source)
    t.teardown(() => run.stop())
    await run.recording.until(() => run.recording.reports.some(report => !report.ok))
    t.match(
      run.recording.reports.find(report => !report.ok),
      { code: 'consul-status', error: /No path to datacenter/ },
    )
    t.equal(run.recording.syncs, 0)
  })

  await t.test('names with dots and upper case, and two hundred services at once', async t => {
    const names = Array.from({ length: 200 }, (_, index) => `Many.${index}`)
    await Promise.all(names.map((name, index) => consul.register({ name, address: `10.2.0.${index + 1}`, port: 80 })))
    const recording = await follow(t, consul)
    const view = recording.view()
    t.same(
      names.filter((name, index) => view[`default/${name}`]?.join() !== `10.2.0.${index + 1}:80`),
      [],
    )
  })
})

t.test('killed and back: its endpoints stay meanwhile, then what changed arrives', async t => {
  const consul = await consulOf(t, { persistent: true })
  await consul.register({ name: 'web', address: '10.1.0.1', port: 80 })
  await consul.register({ name: 'api', address: '10.1.0.2', port: 80 })
  const recording = await follow(t, consul)
  const good = recording.view()
  const emissions = recording.emissions.length
  await consul.kill()
  await recording.until(() => recording.reports.some(report => !report.ok && report.scope === undefined))
  t.match(
    recording.reports.find(report => !report.ok),
    { code: 'consul-unreachable' },
  )
  t.same(recording.view(), good)
  await consul.restart()
  await consul.register({ name: 'api', address: '10.1.0.3', port: 80 })
  await recording.untilServed('default/api', '10.1.0.3:80')
  t.same(recording.view(), { ...good, 'default/api': ['10.1.0.3:80'] })
  t.notOk(
    recording.emissions
      .slice(emissions)
      .flat()
      .some(group => group.endpoints.length === 0),
    'nothing was ever gone',
  )
  await consul.deregister('web')
  await recording.untilServed('default/web')
})

t.test('frozen, which is no closed connection: nothing is lost, and changes arrive after it', async t => {
  const consul = await consulOf(t)
  await consul.register({ name: 'web', address: '10.1.0.1', port: 80 })
  const recording = await follow(t, consul)
  const emissions = recording.emissions.length
  consul.freeze(true)
  consul.freeze(false)
  await consul.register({ name: 'web', address: '10.1.0.2', port: 80 })
  await recording.untilServed('default/web', '10.1.0.2:80')
  t.equal(recording.emissions.length, emissions + 1)
})

t.test('ACLs: what a token does not see is said, a rotated token file is followed, a refused one takes nothing away', async t => {
  const root = '11111111-2222-3333-4444-555555555555'
  // What comes without a token may do everything: the agent itself and this test.
  const tokens = { initial_management: root, agent: root, default: root }
  const consul = await consulOf(t, { config: { acl: { enabled: true, default_policy: 'deny', tokens } } })
  const tokenFor = async (name: string, rules: string): Promise<string> => {
    await consul.request('PUT', '/v1/acl/policy', { Name: name, Rules: rules })
    const { SecretID } = (await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: name }] })) as { SecretID: string }
    return SecretID
  }
  await consul.register({ name: 'web', address: '10.1.0.1', port: 80 })
  await consul.register({ name: 'api', address: '10.1.0.2', port: 80 })
  const full = await eventually('a token is made', () =>
    tokenFor('full', 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'),
  )
  const partial = await tokenFor('partial', 'service "web" { policy = "read" } node_prefix "" { policy = "read" }')
  const nodeless = await tokenFor('nodeless', 'service_prefix "" { policy = "read" }')
  const file = join(await temporaryFolder(t), 'token')
  const put = async (text: string): Promise<void> => {
    await writeFile(`${file}.next`, text)
    await rename(`${file}.next`, file)
  }

  await t.test('a token without node:read sees no instance, and the notice says what it needs', async t => {
    await put(nodeless)
    const recording = await follow(t, consul, { token: { file } })
    await recording.until(() => notices(recording).some(text => text.includes('node:read')))
    t.same(recording.view(), {})
  })

  await t.test('a token for one service serves that one, and says that there is more', async t => {
    await put(partial)
    const recording = await follow(t, consul, { token: { file } })
    t.same(recording.view(), { 'default/web': ['10.1.0.1:80'] })
    await recording.until(() => notices(recording).some(text => text.includes('service:read')))
  })

  await t.test('a rotated token is used at once; one that is refused takes nothing away', async t => {
    await put(partial)
    const recording = await follow(t, consul, { token: { file } })
    await put(full)
    await recording.untilServed('default/api', '10.1.0.2:80')
    await recording.until(() => notices(recording).at(-1) === '')
    const good = recording.view()
    await put('00000000-0000-0000-0000-00000000dead')
    await recording.until(() => recording.reports.some(report => !report.ok && report.scope === undefined))
    t.match(
      recording.reports.find(report => !report.ok),
      { code: 'consul-acl', error: /service:read and node:read/ },
    )
    t.notMatch(JSON.stringify([recording.reports, recording.log.lines]), /dead/, 'no token in a message')
    t.same(recording.view(), good)
    await put(full)
    await consul.register({ name: 'api', address: '10.1.0.4', port: 80 })
    await recording.untilServed('default/api', '10.1.0.4:80')
  })

  await t.test('2.2 rule 2: a token that is narrowed while it is used takes nothing away', async t => {
    await put(full)
    const recording = await follow(t, consul, { token: { file } })
    const good = recording.view()
    t.equal(Object.keys(good).length, 2)
    await put(nodeless)
    await recording.until(() => notices(recording).some(text => text.includes('node:read')))
    t.same(recording.view(), good)
  })
})
