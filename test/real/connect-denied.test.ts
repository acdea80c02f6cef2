import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { consulPath } from '../tools/consul.ts'
import { startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { eventually, startProcess } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, startStage } from './stage.ts'

interface Sources {
  readonly items: readonly { readonly state: string; readonly error: { readonly code: string; readonly text: string } | null }[]
}

t.test('Consul Connect with ACLs: a token without rights and intentions that deny are named, and take nothing away', async t => {
  const root = '11111111-2222-3333-4444-555555555555'
  // What comes without a token may do everything: the agent itself, the sidecar and this test.
  const tokens = { initial_management: root, agent: root, default: root }
  const consul = await startConsul({ config: { acl: { enabled: true, default_policy: 'deny', tokens } } })
  t.teardown(() => consul.stop())
  const [behind] = await startBackends(t, 1)
  const port = await freePort()
  const Connect = { SidecarService: { Address: '127.0.0.1', Port: port } }
  await consul.register({ name: 'web', id: 'web-1', address: '127.0.0.1', port: behind.port, extra: { Connect } })
  // Consul's own proxy, which asks the intentions about every connection.
  const sidecar = await startProcess(await consulPath(), ['connect', 'proxy', '-sidecar-for', 'web-1', '-http-addr', consul.url])
  t.teardown(() => sidecar.stop())
  await sidecar.untilPrinted(/Starting listener/)

  const reads = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" } '
  const tokenFor = async (Name: string, Rules: string): Promise<string> => {
    await consul.request('PUT', '/v1/acl/policy', { Name, Rules })
    return ((await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name }] })) as { SecretID: string }).SecretID
  }
  const intention = (Action: string) => consul.request('PUT', '/v1/connect/intentions/exact?source=edge&destination=web', { Action })

  const file = join(await temporaryFolder(t), 'token')
  const put = async (token: string): Promise<void> => {
    await writeFile(`${file}.next`, token)
    await rename(`${file}.next`, file)
  }
  await put(await tokenFor('reads', reads))
  const stage = await startStage(t, {
    sources: [{ name: 'dc1', type: 'consul', address: consul.url, connect: 'edge', token: { file } }],
  })
  // A connection for about every request: intentions are asked when one begins.
  const short = { cluster_max_connection_lifetime_ms: 20 }
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web', ...short })])
  const source = async () => (await stage.api<Sources>('/api/v1/sources')).items[0]
  const explained = async () => JSON.stringify(await stage.api(`/api/v1/services/default/web/explain?address=127.0.0.1:${String(port)}`))
  const status = async () => (await get(`${stage.url}/web/`)).status

  await eventually('what the token lacks is said', async () => (await source())?.error?.text.includes('service:write on edge'))
  t.match(await source(), { state: 'live', error: { code: 'consul-acl', text: /the leaf of edge: .*403/ } })
  await eventually('the endpoint is known', async () => (await explained()).includes('mesh-only'))
  await stage.answers('/web/', answer => answer.status === 503)
  t.equal(behind.requests, 0)

  await put(await tokenFor('edge', `${reads} service "edge" { policy = "write" }`))
  await eventually('the leaf is there', async () => !(await explained()).includes('mesh-only'), 60_000)
  await eventually('Consul denies what no intention allows, and that is said', async () =>
    /intention-denied.*no intention allows edge to speak to web/.test(await explained()),
  )
  await stage.synced()
  await eventually('the sidecar was dialled', () => /denied/i.test(sidecar.output()) || status().then(() => false))
  t.equal(await status(), 503)
  t.equal(behind.requests, 0)

  await intention('allow')
  await stage.answers('/web/', answer => answer.status === 200)
  await eventually('nothing is denied any more', async () => !(await explained()).includes('intention-denied'))
  // Consul's proxy goes on allowing for a while then, from a cache of its own.
  await intention('deny')
  await eventually('the intention is named', async () => (await explained()).includes('an intention denies edge to speak to web'))
  await intention('allow')

  await put('00000000-0000-0000-0000-00000000dead')
  await fetch(`${stage.adminUrl}/api/v1/sources/dc1/resync`, { method: 'POST' })
  await eventually('a token that is refused is said', async () => (await source())?.error?.code === 'consul-acl')
  await stage.synced()
  for (let count = 0; count < 10; count++) t.equal(await status(), 200, 'the leaf that is there goes on')
})
