import Fastify from 'fastify'
import { createVmSource } from '../../plugins/vm/index.ts'
import { makeGiven } from './harness.ts'
import { contractSuite } from './suite.ts'
import { makeTestClock } from './test-clock.ts'

/** Each service is registered by an agent of its own; the registry fails by getting what it must refuse. */
contractSuite('vm', async () => {
  const clock = makeTestClock()
  const { source, agentRoutes } = createVmSource({}, makeGiven({ clock }))
  const app = Fastify()
  await app.register(agentRoutes)
  const put = (agentId: string, payload: object) => app.inject({ method: 'PUT', url: `/v1/registrations/${agentId}`, payload })
  const expectStatus = async (answer: Promise<{ statusCode: number; body: string }>, status: number): Promise<void> => {
    const { statusCode, body } = await answer
    if (statusCode !== status) throw new Error(`${statusCode} instead of ${status}: ${body}`)
  }
  return {
    source,
    clock,
    noticesFailure: false,
    async set(service, endpoints) {
      // One agent per endpoint and service, so that all of them can have the same number of ports.
      for (let index = 0; index < 3; index++) {
        const agentId = `${service}-${index}`
        const endpoint = endpoints[index]
        if (endpoint === undefined) await app.inject({ method: 'DELETE', url: `/v1/registrations/${agentId}` })
        else {
          const services = [{ name: service, address: endpoint.address, ports: [{ port: endpoint.port }] }]
          await expectStatus(put(agentId, { services }), 200)
        }
      }
    },
    break: () => expectStatus(put('web-0', { services: [{ name: 'web', address: '10.9.9.9', ports: [{ port: 0 }] }] }), 422),
    mend: () => Promise.resolve(),
    setBad: () => expectStatus(put('bad', { services: [{ name: 'bad', address: '127.0.0.1', ports: [{ port: 1 }] }] }), 422),
    stop: () => app.close(),
  }
})
