import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { haproxyPath, withoutHaproxy } from '../tools/haproxy.ts'
import { startHaproxy } from '../tools/haproxy-process.ts'
import { envoyPath } from '../tools/envoy.ts'
import { startBackend } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import { temporaryFolder } from '../tools/local.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { type Child, eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { mappingObject } from './stage.ts'

/** Of docs/load-balancers.md and experience.md 2.4 and 2.5; the addresses are those of deploy/examples/load-balancers. */

enterOwnNetwork()
t.setTimeout(150_000)
const haproxy = await haproxyPath()
const examples = join(repository, 'deploy/examples/load-balancers')
const boxes = ['10.77.0.11', '10.77.0.12'] as const
const client = '203.0.113.7'
const stranger = '203.0.113.66'

interface Answer {
  readonly status: number
  readonly instance: string
  readonly headers: Readonly<Record<string, string>>
}

/** One GET, from an address of this machine; TLS shows `a.example`. Throws when nobody answers. */
function ask(url: string, from: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { localAddress: from, headers: { host: 'a.example', ...headers }, agent: false as const }
    const sent = url.startsWith('https:')
      ? requestHttps(url, { ...options, servername: 'a.example', rejectUnauthorized: false })
      : requestHttp(url, options)
    sent.on('response', response => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => {
        const said = response.statusCode === 200 ? (JSON.parse(body) as Answer) : { instance: '', headers: {} }
        resolve({ ...said, status: response.statusCode ?? 0 })
      })
    })
    sent.on('error', reject).end()
  })
}

function object(kind: string, name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'getambassador.io/v3alpha1', kind, metadata: { name, annotations }, spec }
}

function listener(
  name: string,
  port: number,
  protocolStack: readonly string[],
  annotations: Readonly<Record<string, string>> = {},
): object {
  return object('Listener', name, { port, protocolStack, securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } }, annotations)
}

interface Site {
  readonly folder: string
  readonly certificate: CertificateFiles
  /** Writes manifests that all boxes read. */
  manifests(name: string, objects: readonly object[]): Promise<void>
  /** Starts a box, by its number, and waits until its Envoy is ready. */
  start(box: number): Promise<Child>
}

/** Two boxes, each with `isthmus serve` and an Envoy of its own; what answers through box N calls itself `box-N`. */
async function begin(t: Test): Promise<Site> {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const certificate = await makeCertificate(folder, 'edge', authority, ['a.example'])
  const shared = join(folder, 'manifests')
  await mkdir(shared)
  const manifests = (name: string, objects: readonly object[]) =>
    writeFile(join(shared, `${name}.yaml`), objects.map(one => stringify(one)).join('---\n'))
  const [key, chain] = [await readFile(certificate.keyFile, 'utf8'), await readFile(certificate.certFile, 'utf8')]
  await writeFile(join(shared, 'listeners.yaml'), await readFile(join(examples, 'listeners.yaml')))
  await manifests('web', [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'edge' }, stringData: { 'tls.crt': chain, 'tls.key': key } },
    mappingObject('web', { prefix: '/', service: 'web' }),
    listener('moving', 8082, ['PROXY', 'HTTP', 'TCP'], { 'isthmus.dev/proxy-protocol': 'optional' }),
    listener('raw', 9000, ['PROXY', 'TCP']),
    object('TCPMapping', 'raw', { port: 9000, service: 'web' }),
  ])
  const envoy = await envoyPath()
  const start = async (box: number): Promise<Child> => {
    const address = boxes[box - 1] ?? ''
    const own = join(folder, `box-${String(box)}.yaml`)
    const file = stringify({
      id: `box-${String(box)}`,
      state: { path: ':memory:' },
      xds: { listen: `127.0.0.1:1800${String(box)}` },
      admin: { listen: `127.0.0.1:887${String(box)}` },
      agents: { listen: `127.0.0.1:1809${String(box)}` },
      envoy: { mode: 'supervise', path: envoy, adminPort: 19_000 + box, ready: `${address}:8006`, drainSeconds: 6, quietSeconds: 2 },
      manifests: [{ type: 'directory', path: './manifests' }],
      sources: [{ name: 'files', type: 'file', path: `./endpoints-${String(box)}.yaml` }],
    })
    await writeFile(own, file)
    const env = { AMBASSADOR_ENVOY_BIND_ADDRESS: address }
    const child = await startProcess(process.execPath, [join(repository, 'src/main.ts'), 'serve', '-c', own], { env })
    t.teardown(() => child.stop(20_000))
    await child.until(`box ${String(box)} is ready`, async () => (await fetch(`http://${address}:8006/ready`)).ok, 60_000)
    return child
  }
  for (const box of [1, 2]) {
    const backend = await startBackend(t, `box-${String(box)}`, { address: `10.77.1.${String(box)}` })
    t.teardown(() => backend.stop())
    const endpoints = [{ address: backend.address, port: backend.port }]
    await writeFile(
      join(folder, `endpoints-${String(box)}.yaml`),
      stringify({ services: [{ name: 'web', namespace: 'default', endpoints }] }),
    )
  }
  return { folder, certificate, manifests, start }
}

/** More ways in than the example has: PROXY v1, and TLS that HAProxy ends, told of by everything a v2 header can hold. */
function moreWays(certificate: string): string {
  return `
frontend v1
    mode tcp
    bind 203.0.113.12:80
    default_backend v1
backend v1
    mode tcp
    server box-1 10.77.0.11:8080 send-proxy

frontend v1-tls
    mode tcp
    bind 203.0.113.12:443
    default_backend v1-tls
backend v1-tls
    mode tcp
    server box-1 10.77.0.11:8443 send-proxy

frontend ended
    mode tcp
    bind 203.0.113.13:443 ssl crt ${certificate}
    unique-id-format %{+X}o\\ %ci:%cp
    default_backend ended
backend ended
    mode tcp
    server box-1 10.77.0.11:8080 send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id

frontend moving
    mode tcp
    bind 203.0.113.14:80
    default_backend moving
backend moving
    mode tcp
    server box-1 10.77.0.11:8082 send-proxy-v2

frontend raw
    mode tcp
    bind 203.0.113.14:9000
    default_backend raw
backend raw
    mode tcp
    server box-1 10.77.0.11:9000 send-proxy-v2
`
}

t.test('HAProxy in front', { skip: haproxy === undefined ? withoutHaproxy : false }, async t => {
  const { folder, certificate, manifests, start } = await begin(t)
  const [first] = await Promise.all([start(1), start(2)])
  const both = join(folder, 'both.pem')
  await writeFile(both, (await readFile(certificate.certFile, 'utf8')) + (await readFile(certificate.keyFile, 'utf8')))
  const configuration = (await readFile(join(examples, 'haproxy.cfg'), 'utf8')) + moreWays(both)
  const balancer = await startHaproxy(haproxy ?? '', folder, configuration)
  t.teardown(() => balancer.stop())
  const isIn = (url: string) => eventually(`${url} answers`, async () => (await ask(url, client)).status === 200)

  await t.test('PROXY v1 and v2, before HTTP, before TLS and with TLS ended by HAProxy: services see who the client is', async t => {
    const ways = ['http://203.0.113.10', 'https://203.0.113.10', 'http://203.0.113.12', 'https://203.0.113.12', 'https://203.0.113.13']
    for (const url of [...ways, 'http://203.0.113.14']) {
      await isIn(url)
      // A header of the client's own counts for nothing.
      const { headers } = await ask(url, client, { 'x-forwarded-for': '198.51.100.1', 'x-envoy-external-address': '198.51.100.2' })
      t.match(headers, { 'x-forwarded-for': `198.51.100.1,${client}`, 'x-envoy-external-address': client }, url)
      t.equal(headers['x-forwarded-proto'], url.startsWith('https:') && !url.endsWith('.13') ? 'https' : 'http')
    }
  })

  await t.test('a connection without a PROXY header is refused, unless that is optional; raw TCP gets none of the header', async t => {
    for (const port of [8080, 8443]) {
      const url = `${port === 8443 ? 'https' : 'http'}://${boxes[0]}:${String(port)}`
      await t.rejects(ask(url, client), { code: /ECONNRESET|ECONNABORTED/ }, url)
    }
    const plain = await ask(`http://${boxes[0]}:8082`, client)
    t.match(plain, { status: 200, headers: { 'x-forwarded-for': client } })
    t.equal((await ask('http://203.0.113.14:9000', client)).headers['x-forwarded-for'], undefined)
    const garbage = connect({ port: 8080, host: boxes[0] })
    garbage.write('PROXY TCP4 203.0.113.7 nonsense\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n')
    let got = ''
    garbage.setEncoding('utf8').on('data', (text: string) => (got += text))
    garbage.on('error', () => undefined)
    await new Promise(resolve => garbage.once('close', resolve))
    t.equal(got, '', 'a header that makes no sense ends the connection')
  })

  await t.test('X-Forwarded-For and l7Depth 1: what HAProxy says counts, what the client says does not', async t => {
    await isIn('http://203.0.113.11')
    const { headers } = await ask('http://203.0.113.11', client, { 'x-forwarded-for': '198.51.100.1' })
    t.match(headers, { 'x-envoy-external-address': client, 'x-forwarded-for': `198.51.100.1,${client},10.77.0.5` })
  })

  await t.test('ip_deny and ip_allow: `remote` is the client, `peer` is HAProxy', async t => {
    const ways = ['http://203.0.113.10', 'https://203.0.113.10', 'http://203.0.113.11']
    const statuses = async (from: string) => Promise.all(ways.map(async url => (await ask(url, from)).status))
    const expect = async (config: object, who: string, status: number) => {
      await manifests('module', [object('Module', 'ambassador', { config })])
      await eventually(`${who} gets ${String(status)} by ${JSON.stringify(config)}`, async () =>
        (await statuses(who)).every(one => one === status),
      )
    }
    await expect({ ip_deny: [{ remote: `${stranger}/32` }] }, stranger, 403)
    t.same(await statuses(client), [200, 200, 200])
    await expect({ ip_allow: [{ remote: `${client}/32` }] }, client, 200)
    t.same(await statuses(stranger), [403, 403, 403])
    await expect({ ip_deny: [{ peer: '10.77.0.5/32' }] }, client, 403)
    await expect({ ip_allow: [{ peer: '10.77.0.5/32' }] }, client, 200)
    await expect({}, stranger, 200)
  })

  await t.test('a box is stopped and comes back: HAProxy turns away first, and no request is lost', async t => {
    const to = { url: 'http://203.0.113.10/', requestsPerSecond: 50 }
    const kept = startLoad({ ...to, headers: { host: 'a.example' } })
    const fresh = startLoad({ ...to, headers: { host: 'a.example', connection: 'close' } })
    const answered = async (box: string, count: number) => {
      const seen = () => fresh.report().instances.get(box) ?? 0
      const before = seen()
      await eventually(`${box} answers`, () => seen() >= before + count, 30_000)
    }
    await answered('box-1', 20)
    await first.stop(30_000)
    await answered('box-2', 20)
    await start(1)
    await answered('box-1', 20)
    for (const load of [kept, fresh]) {
      const { failures, requests } = await load.stop()
      t.same(failures, [], `${String(requests)} requests`)
    }
  })
})
