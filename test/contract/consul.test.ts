import { consulPlugin } from '../../plugins/consul/index.ts'
import { startConsul } from '../tools/consul-agent.ts'
import { eventually } from '../tools/process.ts'
import { makeGiven } from './harness.ts'
import { contractSuite } from './suite.ts'

/** Each endpoint is an instance of its own at one real agent, which fails by being killed and keeps its data. */
contractSuite('consul', async () => {
  const consul = await startConsul({ persistent: true })
  const idOf = (service: string, index: number): string => `${service}-${index}`
  const known = async (service: string): Promise<{ Service: { ID: string } }[]> =>
    (await consul.request('GET', `/v1/health/service/${service}`)) as { Service: { ID: string } }[]
  return {
    source: consulPlugin.create({ address: consul.url }, makeGiven()).source,
    noticesFailure: true,
    async set(service, endpoints) {
      for (const { Service } of await known(service)) {
        if (!endpoints.some((_, index) => idOf(service, index) === Service.ID)) await consul.deregister(Service.ID)
      }
      for (const [index, endpoint] of endpoints.entries()) {
        await consul.register({ name: service, id: idOf(service, index), ...endpoint })
      }
      await eventually('Consul does not take it', async () => (await known(service)).length === endpoints.length)
    },
    break: () => consul.kill(),
    mend: () => consul.restart(),
    setBad: () => consul.register({ name: 'bad', address: '127.0.0.1', port: 1 }),
    stop: () => consul.stop(),
  }
})
