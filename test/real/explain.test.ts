import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { startMeddlingProxy } from '../tools/meddling-proxy.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

interface Explained {
  readonly verdict: string
  readonly text: string
  readonly steps: readonly { readonly code: string; readonly text: string }[]
}

/** Issue 5, item 7, with what real sources say: Consul, agents and a file. */
t.test('why an endpoint is there or not, by real sources: a check, a guard, an override, rules of addresses', async t => {
  const backends = await startBackends(t, 3)
  const [first = 0, second = 0, third = 0] = backends.map(one => one.port)
  const consul = await startConsul()
  t.teardown(() => consul.stop())
  await consul.register({ name: 'web', id: 'web-1', address: '127.0.0.1', port: first, ttl: '1h' })
  await consul.register({ name: 'held', id: 'held-1', address: '127.0.0.1', port: second })
  const proxy = await startMeddlingProxy(consul.url)
  t.teardown(() => proxy.stop())
  const stage = await startStage(t, {
    sources: [
      { name: 'dc1', type: 'consul', address: proxy.url },
      { name: 'vms', type: 'vm' },
      { name: 'strict', type: 'file', path: './strict.yaml', addresses: { allow: [] } },
    ],
    prepare: async folder => {
      await writeFile(join(folder, 'strict.yaml'), 'services: [{ name: far, endpoints: [{ address: 127.0.0.1, port: 9999 }] }]\n')
    },
  })
  await stage.manifests('web', [
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    mappingObject('held', { prefix: '/held/', service: 'held' }),
    mappingObject('machine', { prefix: '/machine/', service: 'machine' }),
  ])
  await stage.registerVm('vm-1', [vmService('machine', third)])
  for (const path of ['/web/', '/held/', '/machine/']) await stage.answers(path, answer => answer.status === 200)
  const why = (service: string, port: number) =>
    stage.api<Explained>(`/api/v1/services/default/${service}/explain?address=127.0.0.1:${String(port)}`)
  const says = async (what: string, service: string, port: number, verdict: string, text: RegExp): Promise<void> => {
    let last: Explained | undefined
    await eventually(what, async () => {
      last = await why(service, port)
      return last.verdict === verdict && (text.test(last.text) || last.steps.some(step => text.test(step.text)))
    }).catch((error: unknown) => t.fail(`${what}: ${JSON.stringify(last)}`, { error }))
    t.equal(last?.verdict, verdict, what)
  }

  const before = Date.now()
  await consul.setCheck('web-1', 'critical')
  await says('a check', 'web', first, 'withheld', /critical: .*, since \d{4}-/)
  const since = Date.parse(/since (\S+Z)/.exec((await why('web', first)).text)?.[1] ?? '')
  t.ok(since >= before && since <= Date.now(), 'the time of its change')

  const address = `127.0.0.1:${String(third)}`
  const drain = { service: 'default/machine', address, action: 'drain', reason: 'disk', actor: 'ann', ttlSeconds: 3600 }
  const headers = { 'content-type': 'application/json' }
  const put = await fetch(`${stage.adminUrl}/api/v1/overrides/o1`, { method: 'PUT', headers, body: JSON.stringify(drain) })
  t.equal(put.ok, true, await put.text())
  await says('an override', 'machine', third, 'withheld', /drained by ann until \d{4}-.*: disk/)

  await says('refused by the rules of addresses', 'far', 9999, 'absent', /strict named 127\.0\.0\.1, .*loopback.*addresses\.allow/)
  await says('nobody knows it', 'nowhere', 1, 'absent', /no source has ever named the service default\/nowhere/)

  proxy.meddle('empty')
  await says(
    'a guard',
    'held',
    second,
    'served',
    /the empty guard of dc1 holds 1 of default\/held; dc1 is read again at .*, it is let go at/,
  )
  const { text, steps } = await why('held', second)
  t.match(text, /it is degraded, as Envoy is told \(healthy, suspect\)/)
  t.match(steps.find(step => step.code === 'cluster-takes')?.text, /takes it as degraded, as Envoy is told/)
})
