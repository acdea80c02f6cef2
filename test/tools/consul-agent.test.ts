import t from 'tap'
import { type ConsulAgent, startConsul } from './consul-agent.ts'
import { eventually } from './process.ts'

type Health = { Service: { ID: string; Port: number }; Checks: { CheckID: string; Status: string }[] }[]

const health = async (consul: ConsulAgent) => (await consul.request('GET', '/v1/health/service/billing')) as Health
const status = async (consul: ConsulAgent, check: string) =>
  (await health(consul)).flatMap(entry => entry.Checks).find(({ CheckID }) => CheckID === check)?.Status

t.test('a dev agent takes registrations, check changes, maintenance and key/value writes', async t => {
  const consul = await startConsul()
  t.teardown(() => consul.stop())
  await consul.register({ name: 'billing', id: 'billing-1', address: '127.0.0.1', port: 9001, tags: ['v2'], ttl: '1h' })
  await eventually('not registered', async () => (await health(consul)).length === 1)
  t.match(await health(consul), [{ Service: { ID: 'billing-1', Port: 9001, Tags: ['v2'] } }])
  t.equal(await status(consul, 'service:billing-1'), 'passing')
  await consul.setCheck('billing-1', 'critical', { output: 'disk full' })
  await eventually('not critical', async () => (await status(consul, 'service:billing-1')) === 'critical')
  await consul.maintenance('billing-1', true)
  await eventually('not in maintenance', async () => (await status(consul, '_service_maintenance:billing-1')) === 'critical')
  await consul.maintenance('billing-1', false)
  t.equal(await consul.request('PUT', '/v1/kv/a/b', 'hello'), true)
  t.equal(await consul.request('GET', '/v1/kv/a/b?raw'), 'hello')
  await t.rejects(consul.setCheck('unknown', 'passing'), /Consul: PUT .*404/)
  await consul.deregister('billing-1')
  await eventually('not deregistered', async () => (await health(consul)).length === 0)
})

t.test('a persistent agent keeps its data when it is killed and restarted on the same port', async t => {
  const consul = await startConsul({ persistent: true, datacenter: 'dc2' })
  t.teardown(() => consul.stop())
  await consul.register({ name: 'billing', port: 9001 })
  await eventually('not registered', async () => (await health(consul)).length === 1)
  await consul.kill()
  await t.rejects(consul.request('GET', '/v1/status/leader'))
  await consul.restart()
  await eventually('lost', async () => (await health(consul)).length === 1)
  t.match(await consul.request('GET', '/v1/catalog/datacenters'), ['dc2'])
})
