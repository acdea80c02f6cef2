import { writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import type { IrCluster, IrRoute, LoadBalancing, RouteTable } from '../../src/ir/route-table.ts'
import { serviceKey, splitServiceKey } from '../../src/model/service-key.ts'
import type { PoolView } from '../../src/table/reader.ts'
import { envoyPath } from '../tools/envoy.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { type BackendAnswer, startBackends } from '../tools/http-backend.ts'
import { freePort, freePorts, type Teardown, temporaryFolder } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'
import { endpoint, poolOf, specOf } from '../xds/generate/pools.ts'
import { dnsCluster, edsCluster, forward, listener, match, origin, staticCluster, tableOf } from '../xds/generate/tables.ts'
import { atRest, withStructure } from './static-bootstrap.ts'

const header = (name: string, value: string, change = {}) => ({ name, kind: 'exact', value, ...change }) as const

/** Every form of route there is, most specific first. */
const routes: IrRoute[] = [
  forward(match('=/exact'), 'a', { rewrite: '/whole' }),
  forward(match('~/regex/([a-z]+)'), 'a', { rewrite: '/back\\slash' }),
  forward(match('', { path: { kind: 'regex', value: '/loose-[a-z]+', caseSensitive: false } }), 'a'),
  forward(match('', { path: { kind: 'prefix', value: '/loose/', caseSensitive: false } }), 'a'),
  forward(match('/method', { headers: [header(':method', 'PUT')] }), 'b'),
  forward(match('/header', { headers: [header('x-a', '1'), header('x-b', 'y+', { kind: 'regex' })] }), 'b'),
  forward(match('/header', { headers: [header('x-here', '', { kind: 'present' })] }), 'b'),
  forward(match('/absent', { headers: [header('x-here', '', { kind: 'present', invert: true })] }), 'b'),
  forward(match('/not', { headers: [header('x-a', '1', { invert: true })] }), 'b'),
  forward(match('/unlike', { headers: [header('x-a', '[0-9]+', { kind: 'regex', invert: true })] }), 'b'),
  forward(match('/query', { query: [header('q', '1'), header('r', '[a-z]+', { kind: 'regex' })] }), 'b'),
  forward(match('/query', { query: [header('there', '', { kind: 'present' })] }), 'b'),
  forward(match('/split/never', { percent: 0 }), 'b'),
  forward(match('/split/always', { percent: 100, percentOf: 10_000 }), 'b'),
  forward(match('/split', { percent: 33, percentOf: 1_000_000 }), 'a'),
  { match: match('/to-https'), action: { kind: 'https-redirect' }, origins: [origin] },
  forward('/dns', 'dns'),
  forward('/static', 'static'),
  forward('/cookie', 'ring', { hash: { kind: 'cookie', name: 'stick', path: '/', ttlSeconds: 60 } }),
  forward('/by-header', 'maglev', { hash: { kind: 'header', name: 'x-user' } }),
  forward('/by-ip', 'ring', { hash: { kind: 'source-ip' } }),
  forward('/slow', 'slow', { timeoutMs: 100 }),
  forward('/empty', 'empty'),
  forward('/rewritten/', 'a', { rewrite: '/new/' }),
  forward('/', 'a'),
]

/** Those that the routes name; one by EDS has the endpoints of the pool of its own name. */
function clusters(portOfStatic: number): IrCluster[] {
  const of = (name: string, loadBalancing: LoadBalancing = 'round_robin') =>
    edsCluster(name, { loadBalancing, assignment: specOf({ name: `${name}-endpoints`, service: serviceKey('shop', name) }) })
  return [
    ...[of('a'), of('b', 'least_request'), of('ring', 'ring_hash'), of('maglev', 'maglev'), of('slow'), of('empty')],
    ...[dnsCluster('dns', 'localhost', portOfStatic), staticCluster('static', '127.0.0.1', portOfStatic)],
  ]
}

async function validated(t: Teardown, config: string) {
  const file = join(await temporaryFolder(t), 'envoy.json')
  await writeFile(file, config)
  return runToEnd(await envoyPath(), ['--mode', 'validate', '-c', file, '-l', 'warning'])
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** What the backend saw. */
  readonly seen: BackendAnswer | undefined
}

function send(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => {
        const seen = body.startsWith('{') ? (JSON.parse(body) as BackendAnswer) : undefined
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, seen })
      })
    })
    sent.on('error', reject).end()
  })
}

t.test('Envoy accepts every shape we generate, by reference over ADS and at rest, without a warning', async t => {
  const listeners = [
    listener({ port: await freePort() }),
    listener({ name: 'v6', address: '::', port: await freePort(), securityModel: 'SECURE', trustedHops: 2 }),
  ]
  const table: RouteTable = tableOf(routes, clusters(80), listeners)
  for (const config of [withStructure(table, await freePort()), atRest(table, () => undefined, await freePort())]) {
    const { code, stderr } = await validated(t, config)
    t.equal(code, 0, stderr)
    t.equal(stderr, '')
  }
})

t.test('a real Envoy routes by it', async t => {
  const [one, two, bad, slow] = await startBackends(t, 4)
  slow.delayMs = 3000
  const [insecure = 0, secure = 0, behind = 0, adminPort = 0] = await freePorts(4)
  const listeners = [
    listener({ address: '127.0.0.1', port: insecure }),
    listener({ name: 'secure', address: '127.0.0.1', port: secure, securityModel: 'SECURE' }),
    listener({ name: 'behind', address: '127.0.0.1', port: behind, trustedHops: 1 }),
  ]
  const at = (backend: { port: number }) => `127.0.0.1:${backend.port}`
  const pools: Record<string, PoolView> = {
    a: poolOf({
      vm: [endpoint(at(one)), endpoint(at(bad), { health: 'unhealthy' }), endpoint(at(slow), { health: 'draining' })],
    }),
    b: poolOf({ vm: [endpoint(at(two), { health: 'degraded' }), endpoint(at(bad), { presence: 'expired' })] }),
    ring: poolOf({ vm: [endpoint(at(one)), endpoint(at(two), { health: 'unknown' })] }),
    maglev: poolOf({ vm: [endpoint(at(one)), endpoint(at(two))] }),
    slow: poolOf({ vm: [endpoint(at(slow))] }),
    empty: poolOf({ vm: [endpoint(at(bad), { health: 'unhealthy' })] }),
  }
  const envoy = await startEnvoy({
    bootstrap: atRest(tableOf(routes, clusters(two.port), listeners), service => pools[splitServiceKey(service).name], adminPort),
    adminPort,
  })
  t.teardown(() => envoy.stop())
  await envoy.untilReady()
  const get = (path: string, headers?: Record<string, string>, method?: string) => send(insecure, path, headers, method)
  const seen = async (...args: Parameters<typeof get>) => (await get(...args)).seen
  const who = async (...args: Parameters<typeof get>) => (await seen(...args))?.instance
  const [a, b] = [one.instance, two.instance]

  await t.test('by path, and rewrites it', async t => {
    t.match(await seen('/exact?q=1'), { instance: a, path: '/whole?q=1' })
    t.match(await seen('/exact/more'), { path: '/exact/more' }, 'an exact path is no prefix')
    t.match(await seen('/regex/abc?q=1'), { path: '/back\\slash?q=1' }, 'the whole path, the query stays')
    t.match(await seen('/regex/abc/1'), { path: '/regex/abc/1' }, 'the expression must match the whole path')
    t.match(await seen('/LOOSE-abc'), { instance: a, path: '/LOOSE-abc' })
    t.match(await seen('/Loose/x'), { instance: a })
    t.match(await seen('/rewritten/x/y'), { path: '/new/x/y' })
    t.match(await seen('/rewritten/../exact'), { path: '/whole' }, 'the path is normalised before it is matched')
    t.match(await seen('/a//b'), { path: '/a//b' }, 'slashes are not merged')
  })

  await t.test('by method, headers and query', async t => {
    t.same([await who('/method'), await who('/method', {}, 'PUT')], [a, b])
    t.same([await who('/header', { 'x-a': '1', 'x-b': 'yyy' }), await who('/header', { 'x-a': '1', 'x-b': 'yyn' })], [b, a])
    t.same([await who('/header', { 'x-here': '' }), await who('/header')], [b, a])
    t.same([await who('/absent'), await who('/absent', { 'x-here': '1' })], [b, a])
    t.same([await who('/not'), await who('/not', { 'x-a': '2' }), await who('/not', { 'x-a': '1' })], [b, b, a])
    t.same([await who('/unlike'), await who('/unlike', { 'x-a': 'z' }), await who('/unlike', { 'x-a': '12' })], [b, b, a])
    t.same([await who('/query?r=ab&q=1'), await who('/query?r=a1&q=1'), await who('/query?there')], [b, a, b])
    t.same([await who('/split/never'), await who('/split/always')], [a, b])
  })

  await t.test('whatever port the Host header names, and passes it on', async t => {
    t.match(await seen('/', { host: 'web.example:30080' }), { headers: { host: 'web.example:30080' } })
  })

  await t.test('redirects to https', async t => {
    const { status, headers } = await get('/to-https/x?y=z', { host: 'web.example' })
    t.match({ status, location: headers.location }, { status: 301, location: 'https://web.example/to-https/x?y=z' })
  })

  await t.test('never to an unhealthy, draining or expired endpoint, not even when no other is left', async t => {
    for (let count = 0; count < 20; count++) {
      t.equal(await who('/'), a)
      t.equal(await who('/split/always'), b, 'degraded is used when nothing better is there')
    }
    t.match(await get('/empty'), { status: 503, body: /no healthy upstream/ })
    t.equal(bad.requests, 0)
  })

  await t.test('to upstreams by DNS and by address', async t => {
    t.same([await who('/dns'), await who('/static')], [b, b])
  })

  await t.test('by hash, to the same instance again', async t => {
    const first = await get('/cookie')
    const [cookie] = first.headers['set-cookie'] ?? []
    t.match(cookie, /^stick="?[^;]+"?; Max-Age=60; Path=\/; HttpOnly/)
    for (let count = 0; count < 5; count++) t.equal(await who('/cookie', { cookie: cookie?.split(';')[0] ?? '' }), first.seen?.instance)
    const users = await Promise.all(Array.from({ length: 20 }, (_, user) => who('/by-header', { 'x-user': `user-${user}` })))
    t.same(new Set(users), new Set([a, b]))
    t.same(await Promise.all(users.map((_, user) => who('/by-header', { 'x-user': `user-${user}` }))), users)
  })

  await t.test('with the time limit of the route', async t => {
    t.equal((await get('/slow')).status, 504)
  })

  await t.test('and tells the services what it knows of the client', async t => {
    const forged = { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'https' }
    t.match((await send(insecure, '/', forged)).seen?.headers, { 'x-forwarded-proto': 'http' }, 'nobody in front is trusted')
    t.match((await send(secure, '/')).seen?.headers, { 'x-forwarded-proto': 'https' }, 'TLS ended before us')
    t.match((await send(behind, '/', forged)).seen?.headers, { 'x-forwarded-proto': 'https', 'x-envoy-external-address': '9.9.9.9' })
  })

  t.equal(envoy.output(), '', 'Envoy has nothing to warn of')
})
