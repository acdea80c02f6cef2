import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import type { EnvoyVersion } from '../tools/envoy.ts'
import { type Backend, startBackends } from '../tools/http-backend.ts'
import { type Load, startLoad } from '../tools/load.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { addRoutes, nothingFailed } from './add-routes.ts'
import { hostObject, listenerObject, mappingObject, type Stage, startStage, vmService } from './stage.ts'

/** Added one by one; `npm run soak:routes` adds 3,000. */
const routeCount = 40
const secondsMost = 80

const combinations: readonly (readonly [EnvoyVersion, 'delta' | 'sotw'])[] = [
  ['1.40', 'delta'],
  ['1.40', 'sotw'],
  ['1.36', 'delta'],
  ['1.36', 'sotw'],
]

for (const [envoyVersion, protocol] of combinations) {
  t.test(`Envoy ${envoyVersion}, ${protocol}: no request is lost (xds.md O2, O3, L7)`, async t => {
    const [one, two] = await startBackends(t, 2)
    const stage = await startStage(t, { protocol, envoyVersion, ownProcess: true, settings: kept })
    await stage.registerVm('vm-1', [vmService('one', one.port)])
    await stage.registerVm('vm-2', [vmService('two', two.port)])
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'one' })])
    await stage.answers('/web/', answer => answer.status === 200)

    await t.test('while routes are added one by one: 404 before, 200 from the first on', t => addRoutes(t, stage, routeCount))
    const load = startLoad({ url: `${stage.url}/web/`, maxSeconds: secondsMost })
    const tls = await startTls(t, stage)
    await t.test('while a route moves from cluster to cluster', t => moveRoute(t, stage, [one, two], load))
    await t.test('while a cluster is replaced by one with other options', t => replaceCluster(t, stage, load))
    await t.test('while a certificate is rotated', t => rotateCertificate(t, tls))
    await t.test('while a listener changes', t => changeListener(t, stage, [load, tls.load]))
    for (const how of ['stop', 'kill'] as const)
      await t.test(`while the gateway is ended by ${how} and started again`, t => restartGateway(t, stage, how, [load, tls.load]))
    for (const one of [load, tls.load]) await nothingFailed(t, one)
  })
}

/** Leases must outlive the gateway. */
const kept = { state: { path: './state' } }

async function moveRoute(t: Test, stage: Stage, backends: readonly [Backend, Backend], load: Load): Promise<void> {
  for (let round = 1; round <= 6; round++) {
    const [service, backend] = round % 2 === 0 ? (['one', backends[0]] as const) : (['two', backends[1]] as const)
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service })])
    await stage.answers('/web/', answer => answer.body.includes(backend.instance))
  }
  t.same(load.report().failures, [])
}

async function replaceCluster(t: Test, stage: Stage, load: Load): Promise<void> {
  const cluster = async (): Promise<string> => {
    const { items } = await stage.api<{ items: { match: { path: { value: string } }; action: { cluster: string } }[] }>('/api/v1/routes')
    return items.find(one => one.match.path.value === '/web/')?.action.cluster ?? ''
  }
  for (const connect_timeout_ms of [1000, 1500, 2000, 2500]) {
    // The first round's is that of other routes, too.
    const before = connect_timeout_ms === 1000 ? '' : await cluster()
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'two', connect_timeout_ms })])
    await eventually('the route has another cluster', async () => ![before, ''].includes(await cluster()))
    await eventually('Envoy has that and no longer the other', async () => {
      const { cluster_statuses: all = [] } = await stage.envoy.clusters()
      const names = new Set(all.map(one => one.name))
      return names.has(await cluster()) && !names.has(before)
    })
    await moreRequests([load])
  }
  t.same(load.report().failures, [])
}

interface Tls {
  readonly load: Load
  /** Makes a certificate of that common name the one that is shown, and waits until it is. */
  rotate(name: string): Promise<void>
}

async function startTls(t: Test, stage: Stage): Promise<Tls> {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const port = await freePort()
  const api = { apiVersion: 'getambassador.io/v3alpha1' }
  const hostBinding = { namespace: { from: 'ALL' } }
  await stage.manifests('tls', [
    { ...api, kind: 'Listener', metadata: { name: 'https' }, spec: { port, protocol: 'HTTPS', securityModel: 'XFP', hostBinding } },
    { ...api, kind: 'Host', metadata: { name: 'secure' }, spec: { hostname: 'secure.example', tlsSecret: { name: 'secure' } } },
  ])
  const rotate = async (name: string): Promise<void> => {
    const { certFile, keyFile } = await makeCertificate(folder, name, authority, ['secure.example'])
    const stringData = { 'tls.crt': await readFile(certFile, 'utf8'), 'tls.key': await readFile(keyFile, 'utf8') }
    await stage.manifests('secret', [
      { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'secure' }, stringData },
    ])
    await eventually(`${name} is shown`, async () => (await shownAt(port)) === name)
  }
  await rotate('first')
  const url = `https://127.0.0.1:${String(port)}/web/`
  return { rotate, load: startLoad({ url, headers: { host: 'secure.example' }, requestsPerSecond: 100, maxSeconds: secondsMost }) }
}

/** The common name of the certificate that a new connection is shown; undefined while there is none. */
async function shownAt(port: number): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'secure.example', rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect')
    return String(socket.getPeerCertificate().subject.CN)
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

async function rotateCertificate(t: Test, { load, rotate }: Tls): Promise<void> {
  for (const name of ['second', 'third', 'fourth']) {
    await rotate(name)
    await moreRequests([load])
  }
  t.same(load.report().failures, [])
}

async function changeListener(t: Test, stage: Stage, loads: readonly Load[]): Promise<void> {
  // Envoy shows the old version of a listener whose filter chains it exchanged in place.
  const changes = async (): Promise<string> => {
    const { configs } = await stage.envoy.configDump('dynamic_listeners')
    return JSON.stringify(configs.map(one => [one['name'], (one['active_state'] as { last_updated?: string } | undefined)?.last_updated]))
  }
  for (const l7Depth of [1, 2, 3]) {
    const before = await changes()
    const listener = listenerObject(stage.port) as { spec: object }
    await stage.manifests('base', [{ ...listener, spec: { ...listener.spec, l7Depth } }, hostObject()])
    await eventually('Envoy has the listener anew', async () => (await changes()) !== before)
    await moreRequests(loads)
  }
  for (const { failures } of loads.map(load => load.report())) t.same(failures, [])
}

async function restartGateway(t: Test, stage: Stage, how: 'stop' | 'kill', loads: readonly Load[]): Promise<void> {
  await stage.stopGateway(how)
  await moreRequests(loads)
  await stage.startGateway()
  await stage.synced()
  // It follows again.
  await stage.manifests('after', [mappingObject(`after-${how}`, { prefix: `/after-${how}/`, service: 'one' })])
  await stage.answers(`/after-${how}/`, answer => answer.status === 200)
  await moreRequests(loads)
  for (const { failures } of loads.map(load => load.report())) t.same(failures, [])
}

/** Some requests of each load go out in this state of things. */
async function moreRequests(loads: readonly Load[]): Promise<void> {
  const wanted = loads.map(load => load.report().requests + 20)
  await eventually('the load goes on', () => loads.every((load, index) => load.report().requests >= (wanted[index] ?? 0)))
}
