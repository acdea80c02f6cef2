import Fastify, { type FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { vmPlugin } from '../../plugins/vm/index.ts'
import type { SourceInstance } from '../../src/discovery/contract.ts'
import { parseOptions } from '../../vm-agent/src/options.ts'
import { runAgent } from '../../vm-agent/src/run-agent.ts'
import { realTime } from '../../vm-agent/src/time.ts'
import { makeGiven, type Recording, startRun } from './harness.ts'

interface Gateway {
  readonly app: FastifyInstance
  readonly url: string
  readonly port: number
  readonly recording: Recording
  readonly instance: SourceInstance
}

async function startGateway(test: Test, port = 0): Promise<Gateway> {
  const instance = vmPlugin.create({}, makeGiven({ admitAddress: address => address }))
  const app = Fastify({ forceCloseConnections: true })
  if (instance.agentRoutes !== undefined) await app.register(instance.agentRoutes)
  await app.listen({ host: '127.0.0.1', port })
  const run = startRun(instance.source)
  test.teardown(async () => {
    await app.close()
    await run.stop()
  })
  const taken = (app.server.address() as AddressInfo).port
  return { app, url: `http://127.0.0.1:${taken}`, port: taken, recording: run.recording, instance }
}

interface RunningAgent {
  readonly log: string[]
  stop(): Promise<void>
  /** Resolves once a line with this text was logged. */
  untilLogged(text: string): Promise<void>
}

function startAgent(test: Test, args: readonly string[]): RunningAgent {
  const options = parseOptions([...args, '--id', 'vm-1', '--probe-interval', '0.05', '--drain-seconds', '0'])
  if (options === 'help') throw new Error('no help was asked for')
  const log: string[] = []
  let waiting: (() => void)[] = []
  const leave = new AbortController()
  const now = new AbortController()
  const given = {
    // Half a second of back-off is half a second: nothing here waits for more than one.
    time: realTime,
    log: (_level: string, message: string) => {
      log.push(message)
      const woken = waiting
      waiting = []
      for (const wake of woken) wake()
    },
  }
  const over = runAgent(options, given, leave.signal, now.signal)
  const stop = async (): Promise<void> => {
    leave.abort()
    await over
  }
  test.teardown(async () => {
    now.abort()
    await stop()
  })
  return {
    log,
    stop,
    async untilLogged(text) {
      while (!log.some(line => line.includes(text))) await new Promise<void>(resolve => waiting.push(resolve))
    },
  }
}

async function listen(test: Test, server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.teardown(() => new Promise<void>(resolve => server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

function healthOf(recording: Recording, id = 'vm-1/default/web'): string | undefined {
  return recording.groups.get(id)?.endpoints[0]?.health
}

void t.test('an agent registers, is healthy once its probe passes, drains and leaves', async test => {
  const gateway = await startGateway(test)
  const port = await listen(
    test,
    createTcpServer(socket => socket.end()),
  )
  const agent = startAgent(test, [
    '--gateway',
    gateway.url,
    '--service',
    `name=web,port=${port},portName=http,tag=a,meta.version=2,weight=50`,
  ])
  await gateway.recording.until(() => healthOf(gateway.recording) === 'healthy')
  test.match(gateway.recording.groups.get('vm-1/default/web')?.endpoints, [
    { address: '127.0.0.1', port, portName: 'http', weight: 50, tags: ['a'], meta: { version: '2' }, id: 'vm-1', presence: 'live' },
  ])
  test.equal(gateway.instance.leases?.()[0]?.agentId, 'vm-1')
  await agent.stop()
  const healths = gateway.recording.emissions.flat().map(group => group.endpoints[0]?.health)
  test.ok(healths.indexOf('draining') > healths.indexOf('healthy'), 'it drains before it leaves')
  test.equal(healths.at(-1), undefined)
  test.strictSame(gateway.instance.leases?.(), [])
})

void t.test('the agent tells a failing HTTP check at once, and its recovery', async test => {
  const gateway = await startGateway(test)
  let status = 200
  const port = await listen(
    test,
    createServer((request, response) => {
      response.writeHead(request.url === '/health' ? status : 404).end()
    }),
  )
  startAgent(test, ['--gateway', gateway.url, '--service', `name=web,port=${port},check=http:/health`, '--fall', '2', '--rise', '2'])
  await gateway.recording.until(() => healthOf(gateway.recording) === 'healthy')
  status = 503
  await gateway.recording.until(() => healthOf(gateway.recording) === 'unhealthy')
  status = 200
  await gateway.recording.until(() => healthOf(gateway.recording) === 'healthy')
})

void t.test('an agent whose lease is unknown registers again', async test => {
  const gateway = await startGateway(test)
  const agent = startAgent(test, ['--gateway', gateway.url, '--ttl', '1', '--service', 'name=web,port=1,check=none'])
  await gateway.recording.until(() => healthOf(gateway.recording) === 'healthy')
  const answer = await gateway.app.inject({ method: 'DELETE', url: '/v1/registrations/vm-1' })
  test.equal(answer.statusCode, 204)
  await gateway.recording.until(() => healthOf(gateway.recording) === undefined)
  await gateway.recording.until(() => healthOf(gateway.recording) === 'healthy')
  test.ok(agent.log.some(line => line.includes('does not know this lease')))
})

void t.test('an agent that lost its id to another registration says so, backs off, and registers again', async test => {
  const gateway = await startGateway(test)
  const agent = startAgent(test, ['--gateway', gateway.url, '--ttl', '1', '--service', 'name=web,port=1,check=none'])
  await agent.untilLogged('registered')
  const payload = { services: [{ name: 'web', address: '10.0.0.9', ports: [{ port: 9 }] }], ttlSeconds: 60 }
  await gateway.app.inject({ method: 'PUT', url: '/v1/registrations/vm-1', payload })
  await agent.untilLogged('another registration took this id over')
  await gateway.recording.untilServed('default/web', '127.0.0.1:1')
})

void t.test('an agent keeps trying while the gateway is away', async test => {
  const first = await startGateway(test)
  const agent = startAgent(test, ['--gateway', first.url, '--ttl', '1', '--service', 'name=web,port=1,check=none'])
  await first.recording.until(() => healthOf(first.recording) === 'healthy')
  await first.app.close()
  await agent.untilLogged('lease not renewed')
  // The second one knows nothing: its answer is "unknown lease".
  const second = await startGateway(test, first.port)
  await second.recording.until(() => healthOf(second.recording) === 'healthy')
  test.ok(agent.log.includes('the gateway does not know this lease, registering again'))
})
