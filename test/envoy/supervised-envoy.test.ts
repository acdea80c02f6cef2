import { Agent, get, type IncomingMessage } from 'node:http'
import t from 'tap'
import { systemClock } from '../../src/discovery/system-clock.ts'
import { EnvoySupervisor } from '../../src/envoy/supervisor.ts'
import { envoyPath } from '../tools/envoy.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePort } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { forward, listener, staticCluster, tableOf } from '../xds/generate/tables.ts'
import { atRest } from './static-bootstrap.ts'

/** Sends a GET over the agent's connections and reads the answer to its end. */
function send(url: string, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, response => response.resume().on('end', () => resolve(response))).on('error', reject)
  })
}

t.test('a real Envoy is restarted when it dies, and loses no request when it is stopped', async t => {
  const [backend] = await startBackends(t, 1)
  const [port, adminPort] = [await freePort(), await freePort()]
  const table = tableOf([forward('/', 'a')], [staticCluster('a', '127.0.0.1', backend.port)], [listener({ address: '127.0.0.1', port })])
  const complaints: string[] = []
  const complain = (_: object, text: string) => void complaints.push(text)
  const supervisor = new EnvoySupervisor({
    path: await envoyPath(),
    bootstrap: JSON.parse(atRest(table, () => undefined, adminPort)) as object,
    ...{ adminPort, drainSeconds: 20, quietSeconds: 1, clock: systemClock, random: () => 0 },
    log: { debug: () => undefined, info: () => undefined, warn: complain, error: complain },
  })
  t.teardown(() => supervisor.stop())
  await supervisor.start()
  const url = `http://127.0.0.1:${port}/`
  const serves = () => eventually('Envoy does not serve', async () => (await send(url, new Agent())).statusCode === 200)
  await serves()

  process.kill(supervisor.status().pid ?? 0, 'SIGKILL')
  await eventually('Envoy is not restarted', () => supervisor.status().restarts === 1 && supervisor.status().state === 'running')
  await serves()
  t.match(supervisor.status(), { restarts: 1, lastExit: 'SIGKILL' })
  t.same(complaints, ['Envoy does not run; it is started again after a delay'])

  const kept = new Agent({ keepAlive: true })
  t.teardown(() => kept.destroy())
  t.equal((await send(url, kept)).headers.connection, undefined, 'the connection stays open')
  const stopped = supervisor.stop()
  const ready = () => fetch(`http://127.0.0.1:${adminPort}/ready`)
  await eventually('/ready does not fail', async () => (await ready()).status === 503)
  const last = await send(url, kept)
  t.match({ status: last.statusCode, connection: last.headers.connection }, { status: 200, connection: 'close' })
  t.equal((await send(url, new Agent())).statusCode, 200, 'who still comes is still served')
  await stopped
  t.match(supervisor.status(), { state: 'stopped', lastExit: 'code 0' })
  t.equal(complaints.length, 1, 'an end that was asked for is no reason to warn')
})
