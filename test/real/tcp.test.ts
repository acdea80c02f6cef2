import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { freePort, temporaryFolder, type Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { startStage, vmService } from './stage.ts'

const object = (kind: string, name: string, spec: object): object => ({
  ...{ apiVersion: 'getambassador.io/v3alpha1', kind, spec },
  metadata: { name },
})

/** Greets each connection with its name and then sends back what it gets. */
async function startEcho(t: Teardown, name: string): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.write(`${name}\n`)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await once(server.close(), 'close')
  })
  return (server.address() as AddressInfo).port
}

/** Connects, says something and gives what came back until it was echoed. */
async function talk(port: number, sni?: string): Promise<string> {
  const socket =
    sni === undefined
      ? connectTcp({ port, host: '127.0.0.1' })
      : connectTls({ port, host: '127.0.0.1', servername: sni, rejectUnauthorized: false })
  return new Promise((resolve, reject) => {
    let text = ''
    const end = (): void => {
      socket.destroy()
      resolve(text)
    }
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more
      if (text.includes('hello')) end()
    })
    socket.on('error', reject)
    socket.on('close', end)
    socket.write('hello')
  })
}

t.test('TCPMappings: ports, weights exactly as written, TLS by SNI, idle time-out', async t => {
  const names = ['a', 'b', 'c'] as const
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const files = await makeCertificate(folder, 'server', authority, ['db.example', 'x.wild.example'])
  const stage = await startStage(t)
  for (const name of names) await stage.registerVm(`vm-${name}`, [vmService(name, await startEcho(t, name))])
  const [plain, split, secure, short] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const secret = {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'server' } },
    stringData: { 'tls.crt': await readFile(files.certFile, 'utf8'), 'tls.key': await readFile(files.keyFile, 'utf8') },
  }
  await stage.manifests('tcp', [
    secret,
    object('TCPMapping', 'plain', { port: plain, service: 'a' }),
    object('TCPMapping', 'most', { port: split, service: 'a', weight: 70 }),
    object('TCPMapping', 'rest', { port: split, service: 'b', weight: 30 }),
    object('Listener', 'secure', { port: secure, protocol: 'TLS', securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } }),
    object('Host', 'db', { hostname: 'db.example', tlsSecret: { name: 'server' } }),
    object('TLSContext', 'wild', { hosts: ['*.wild.example'], secret: 'server' }),
    object('TCPMapping', 'db', { port: secure, host: 'db.example', service: 'b' }),
    object('TCPMapping', 'wild', { port: secure, host: '*.wild.example', service: 'c' }),
    object('TCPMapping', 'short', { port: short, service: 'c', idle_timeout_ms: '150' }),
    object('TCPMapping', 'nobody', { port: secure, host: 'nobody.example', service: 'c' }),
    object('TCPMapping', 'taken', { port: stage.port, service: 'c' }),
    object('TCPMapping', 'over1', { port: 19_999, service: 'a', weight: 60 }),
    object('TCPMapping', 'over2', { port: 19_999, service: 'a', weight: 60 }),
  ])
  await eventually('the plain one', async () => (await talk(plain)) === 'a\nhello')
  const counts = { a: 0, b: 0, c: 0 }
  for (let round = 0; round < 1000; round++) counts[(await talk(split)).charAt(0) as 'a']++
  // Five standard deviations of a binomial share of 0.3 of 1,000 are 72.
  t.ok(counts.b > 228 && counts.b < 372, `30 of 100 connections, got ${String(counts.b)} of 1000`)
  t.equal(counts.a + counts.b, 1000)
  t.equal(await talk(secure, 'db.example'), 'b\nhello')
  t.equal(await talk(secure, 'x.wild.example'), 'c\nhello')
  await t.rejects(talk(secure, 'other.example'), 'a name that nobody has gets no handshake')

  const idle = connectTcp({ port: short, host: '127.0.0.1' })
  await once(idle, 'data')
  await once(idle, 'close')
  t.pass('a connection without traffic is closed')

  const status = (name: string): Promise<object> => stage.api(`/api/v1/objects/TCPMapping/default/${name}`)
  t.match(await status('nobody'), {
    state: 'refused',
    problems: [{ path: 'spec.host', text: /no Host with a certificate takes nobody\.example/ }],
  })
  t.match(await status('taken'), { state: 'refused', problems: [{ path: 'spec.port', text: /is taken/ }] })
  t.match(await status('over1'), { state: 'refused', problems: [{ path: 'spec.weight', text: /add up to 120/ }] })
  t.match(await status('db'), { state: 'accepted' })
})

t.test('TCPMappings: names and tags of clusters, families, circuit breakers, resolver (emissary-resources.md 2)', async t => {
  const stage = await startStage(t)
  const echo = await startEcho(t, 'a')
  await stage.registerVm('vm-1', [vmService('a', echo)])
  const [named, v4, v6, resolved] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const local = `localhost:${String(echo)}`
  await stage.manifests('tcp', [
    object('TCPMapping', 'named', {
      ...{ port: named, service: 'a', cluster_tag: 'team', stats_name: 'raw-by-name', circuit_breakers: [{ max_connections: 1 }] },
    }),
    object('TCPMapping', 'v4', { port: v4, service: local, enable_ipv4: true, enable_ipv6: false }),
    object('TCPMapping', 'v6', { port: v6, service: local, enable_ipv4: false, enable_ipv6: true }),
    object('TCPMapping', 'resolved', { port: resolved, service: 'a', resolver: 'endpoint' }),
  ])
  // Who is not served is closed or reset.
  const heard = (port: number): Promise<string> => talk(port).catch(() => '')
  await eventually('it is served', async () => (await heard(v4)) === 'a\nhello')
  await stage.synced()
  t.equal(await heard(v6), '', 'nobody listens at the other family’s address')
  t.equal(await heard(resolved), '', 'no Kubernetes source knows the service')
  const first = connectTcp({ port: named, host: '127.0.0.1' })
  await once(first, 'data')
  t.equal(await heard(named), '', 'circuit_breakers: one connection')
  first.destroy()
  await eventually('the next one after it', async () => (await heard(named)) === 'a\nhello')
  t.ok((await stage.envoy.clusters()).cluster_statuses?.some(({ name }) => name.startsWith('team|default/a')))
  t.ok(((await stage.envoy.stats('^cluster.raw_by_name.upstream_cx_total$')).values().next().value ?? 0) >= 2)
})
