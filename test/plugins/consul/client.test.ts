import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type ConsulClient, type ConsulQuery, createConsulClient, failureOf } from '../../../plugins/consul/client.ts'
import type { ConsulSettings } from '../../../plugins/consul/settings.ts'
import { temporaryFolder } from '../../tools/local.ts'
import { runToEnd } from '../../tools/process.ts'
import { entry } from './entries.ts'
import { catalogPath, FakeConsul, healthPath } from './fake-consul.ts'

const query = (over: Partial<ConsulQuery> = {}): ConsulQuery => ({
  index: undefined,
  waitSeconds: 60,
  signal: new AbortController().signal,
  ...over,
})

async function start(t: Test, settings: (address: string) => ConsulSettings = address => ({ address })) {
  const consul = await FakeConsul.start()
  consul.set('web', entry())
  const client = createConsulClient(settings(consul.address), 'dc1')
  t.teardown(async () => {
    client.close()
    await consul.stop()
  })
  return { consul, client }
}

/** What a failed read says. */
const failure = async (reading: Promise<unknown>): Promise<{ code: string; text: string }> =>
  reading.then(
    () => ({ code: 'none', text: 'it succeeded' }),
    (error: unknown) => failureOf(error),
  )

t.test('an address may be host:port or a URL, with a path and a slash at its end', async t => {
  for (const form of [(at: string) => at, (at: string) => `http://${at}`, (at: string) => `HTTP://${at}/`]) {
    const { client } = await start(t, at => ({ address: form(at) }))
    t.match(await client.catalogServices(query()), { status: 200, body: { web: [] } }, form('host:port'))
  }
  const { consul, client } = await start(t, at => ({ address: `http://${at}/behind/a/proxy/` }))
  consul.answer(() => ({ json: {} }))
  await client.catalogServices(query())
  t.equal(consul.requests[0]?.path, `/behind/a/proxy${catalogPath}`)
})

t.test('an address may be an IPv6 literal', async t => {
  const consul = await FakeConsul.start('::1')
  const client = createConsulClient({ address: `http://${consul.address}` }, 'dc1')
  t.teardown(async () => {
    client.close()
    await consul.stop()
  })
  t.match(await client.catalogServices(query()), { status: 200, body: {} })
})

t.test('an address that is none is a settings error that names source and key', async t => {
  for (const address of ['http://', 'ftp://consul', 'http://a b', 'host:99999', '']) {
    t.throws(() => createConsulClient({ address }, 'dc1'), { code: 'settings-invalid', message: /source dc1: address: / }, `"${address}"`)
  }
})

t.test('certificate files that cannot be read are settings errors that name the key', async t => {
  for (const key of ['caFile', 'certFile', 'keyFile'] as const) {
    const settings = { address: 'https://consul', tls: { [key]: '/nowhere/file.pem' } }
    t.throws(() => createConsulClient(settings, 'dc1'), { code: 'settings-invalid', message: new RegExp(`source dc1: tls\\.${key}: `) })
  }
})

t.test('2.2 rules 1 and 8: the first read does not block and any server may answer it; the next ones block', async t => {
  const { consul, client } = await start(t)
  await client.healthService('web', query())
  await client.healthService('web', query({ index: '3', waitSeconds: 7 }))
  await client.healthService('web', query({ consistent: true }))
  const [first, blocking, consistent] = consul.of(healthPath('web')).map(one => Object.fromEntries(one.query))
  t.same(first, { stale: '1' }, 'without `passing`, which would hide warnings and maintenance')
  t.same(blocking, { stale: '1', index: '3', wait: '7s' })
  t.same(consistent, { consistent: '1' })
})

t.test('datacenter, partition and the namespace of Consul Enterprise go with every read', async t => {
  const { consul, client } = await start(t, address => ({ address, datacenter: 'dc2', partition: 'team', consulNamespace: 'shop' }))
  await client.catalogServices(query())
  await client.healthService('web', query())
  for (const { query: asked, headers } of consul.requests) {
    t.match(Object.fromEntries(asked), { dc: 'dc2', partition: 'team' })
    t.equal(headers['x-consul-namespace'], 'shop')
  }
  t.equal(consul.requests.length, 2)
})

t.test('service names arrive as they are', async t => {
  const { consul, client } = await start(t)
  for (const name of ['My.Service', 'a b', 'a/b', 'a?b&c=d', 'größe', '%41']) {
    await client.healthService(name, query())
    t.equal(consul.requests.at(-1)?.path, healthPath(name))
  }
})

t.test('every HTTP answer is given back, whatever it holds', async t => {
  const { consul, client } = await start(t)
  const html = { text: '<html>', headers: { 'Content-Type': 'text/html' } }
  consul.answer(() => html)
  t.match(await client.healthService('web', query()), { status: 200, headers: { 'content-type': 'text/html' } })
  consul.answer(() => ({ text: '[{' }))
  const broken = await client.healthService('web', query())
  t.equal(broken.status, 200)
  t.equal(Array.isArray(broken.body), false, 'JSON that does not end is no list')
  consul.answer(() => ({ json: null }))
  t.match(await client.healthService('web', query()), { status: 200, body: null })
  consul.answer(() => ({ status: 429, text: 'slow down', headers: { 'Retry-After': '3', 'Content-Type': 'text/plain' } }))
  t.match(await client.healthService('web', query()), { status: 429, headers: { 'retry-after': '3' }, body: 'slow down' })
  consul.answer(() => ({ headers: { 'X-Consul-Index': '18446744073709551615' } }))
  const large = await client.healthService('web', query())
  t.equal(large.headers['x-consul-index'], '18446744073709551615', 'an index never becomes a double')
})

t.test('an answer that ends early, and a port where nobody listens, are failures', async t => {
  const { consul, client } = await start(t)
  consul.answer(() => ({ cut: true }))
  t.match(await failure(client.healthService('web', query())), { code: 'consul-unreachable' })
  await consul.stop()
  t.match(await failure(client.healthService('web', query())), { code: 'consul-unreachable', text: /ECONNREFUSED|socket hang up/ })
})

t.test('an abort ends the read and its connection at once; an aborted one is not even sent', async t => {
  const { consul, client } = await start(t)
  const controller = new AbortController()
  const reading = failure(client.healthService('web', query({ index: '99', signal: controller.signal })))
  await consul.until(() => consul.blocked.length === 1)
  controller.abort()
  t.match(await reading, { code: 'consul-unreachable' })
  await consul.until(() => consul.blocked.length === 0)
  const before = consul.requests.length
  t.match(await failure(client.healthService('web', query({ signal: controller.signal }))), { text: /abort/i })
  t.equal(consul.requests.length, before)
})

t.test('connections are kept for the next reads, and `close` ends them', async t => {
  const { consul, client } = await start(t)
  for (let count = 0; count < 5; count++) await client.healthService('web', query())
  t.equal(consul.mostConnections, 1)
  client.close()
  await consul.until(() => consul.connections === 0)
})

t.test('the token goes in its header, never in the URL, and is read again when its file is another one', async t => {
  const file = join(await temporaryFolder(t), 'token')
  await writeFile(file, 'first-secret\n')
  const { consul, client } = await start(t, address => ({ address, token: { file } }))
  const sent = async (): Promise<unknown> => {
    await client.catalogServices(query())
    const { headers, query: asked } = consul.requests.at(-1) ?? {}
    t.notMatch(asked?.toString(), /secret/)
    return headers?.['x-consul-token']
  }
  t.equal(client.tokenChanged(), false, 'nothing was read yet')
  t.equal(await sent(), 'first-secret')
  t.equal(client.tokenChanged(), false)
  const rotate = async (text: string): Promise<void> => {
    await writeFile(`${file}.next`, text)
    await rename(`${file}.next`, file)
  }
  await rotate('other-secret')
  t.equal(client.tokenChanged(), true)
  t.equal(client.tokenChanged(), false, 'it is said once')
  t.equal(await sent(), 'other-secret')
  t.equal(client.tokenChanged(), false)
  await rotate('third-secret')
  t.equal(await sent(), 'third-secret')
  t.equal(client.tokenChanged(), true, 'also when a read came before: other queries still block with the former token')
  await rm(file)
  t.equal(client.tokenChanged(), false, 'between the two steps of a rotation')
  const gone = await failure(client.catalogServices(query()))
  t.match(gone, { code: 'consul-token', text: /^token\.file: ENOENT/ })
  t.notMatch(gone.text, /secret/)
})

t.test('a token given as a value goes in its header, and an error does not tell it', async t => {
  const { consul, client } = await start(t, address => ({ address, token: { value: 'a-secret' } }))
  await client.catalogServices(query())
  t.equal(consul.requests[0]?.headers['x-consul-token'], 'a-secret')
  await consul.stop()
  t.notMatch((await failure(client.catalogServices(query()))).text, /a-secret/)
})

t.test('TLS: the CA is checked, the server name can be another one, a client certificate is shown', async t => {
  const files = await certificates(t)
  const seen: string[] = []
  const server = createServer(
    {
      key: await readFile(files.key),
      cert: await readFile(files.cert),
      ca: await readFile(files.cert),
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      seen.push(request.url ?? '')
      response.setHeader('Content-Type', 'application/json')
      response.end('{"web":[]}')
    },
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const clients: ConsulClient[] = []
  t.teardown(async () => {
    for (const client of clients) client.close()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const read = (tls: ConsulSettings['tls']): Promise<unknown> => {
    const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const client = createConsulClient({ address, ...(tls === undefined ? {} : { tls }) }, 'dc1')
    clients.push(client)
    return client.catalogServices(query())
  }
  const full = { caFile: files.cert, certFile: files.cert, keyFile: files.key, serverName: 'consul.test' }
  t.match(await read(full), { status: 200, body: { web: [] } })
  t.match(await failure(read(undefined)), { code: 'consul-unreachable', text: /certificate/i }, 'an unknown CA')
  const { serverName: _, ...nameless } = full
  t.match(await failure(read(nameless)), { text: /127\.0\.0\.1|altnames/i }, 'another name')
  t.match(await failure(read({ caFile: files.cert, serverName: 'consul.test' })), { code: 'consul-unreachable' }, 'no client certificate')
  t.same(seen, ['/v1/catalog/services?stale=1'], 'only the good one came through')
})

/** A key and a certificate of `consul.test` signed by itself. */
async function certificates(t: Test): Promise<{ key: string; cert: string }> {
  const folder = await temporaryFolder(t)
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=consul.test', '-addext', 'subjectAltName=DNS:consul.test']
  await runToEnd('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject])
  return { key, cert }
}
