import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { commands } from '../../src/cli/commands.ts'
import { version } from '../../src/version.ts'
import { FakeGateway } from '../admin/gateway.ts'
import { isthmus, listening } from './cli.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname

t.test('usage errors are 2 and say what is meant', async t => {
  const cases: [readonly string[], RegExp][] = [
    [[], /Usage: isthmus/],
    [['stats'], /there is no command "stats"; did you mean "status"\?/],
    [['services', '-o', 'xml'], /Allowed choices are table, wide, json, yaml, name/],
    [['services', '--wtach'], /unknown option '--wtach'/],
    [['why', 'web'], /missing required argument 'address'/],
    [['bootstrap'], /--node-id/],
    [['bootstrap', '--node-id', 'a', '--xds', 'x'], /HOST:PORT/],
    [['bootstrap', '--node-id', 'a', '--tls-cert', 'x'], /--tls-ca is missing/],
    [['schema', 'mapping2'], /did you mean "Mapping"/],
    [['validate', '-f', '/nonexistent'], /no such file or folder/],
    [['status', '--admin', 'http://'], /is no URL/],
    [['status', '--token-file', '/nonexistent'], /cannot be read/],
  ]
  for (const [args, message] of cases) {
    const ran = await isthmus(args)
    t.equal(ran.code, 2, args.join(' '))
    t.match(ran.err, message)
    t.equal(ran.out, '')
  }
})

t.test('help and version are 0, wherever they are asked for', async t => {
  for (const args of [['--help'], ['help'], ['help', 'why'], ['why', '--help'], ['--version'], ['version'], ['serve', '--help']]) {
    const ran = await isthmus(args)
    t.equal(ran.code, 0, args.join(' '))
    t.not(ran.out, '')
  }
  t.equal((await isthmus(['version', '-o', 'name'])).out, `${version}\n`)
  for (const { name } of commands) t.match((await isthmus(['--help'])).out, new RegExp(`^  ${name} `, 'm'))
})

t.test('a gateway that is not there is 3, with what to do', async t => {
  const { app, url, env } = await listening(t)
  await app.close()
  const ran = await isthmus(['status'], { env })
  t.equal(ran.code, 3)
  t.match(ran.err, `isthmus: no gateway answers at ${url} (ECONNREFUSED): start one with "isthmus serve", or name its admin address`)
})

t.test('something else at the address is 3, too', async t => {
  const server = createServer((request, response) =>
    response.writeHead(request.url?.includes('sources') === true ? 502 : 200).end('<html>'),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const command of ['status', 'sources']) {
    const ran = await isthmus(['--admin', admin, command])
    t.equal(ran.code, 3)
    t.match(ran.err, /is it the admin address of a gateway/)
  }
})

t.test('what the gateway refuses is 1, a bad parameter 2, with its reason', async t => {
  const { env } = await listening(t)
  const unknown = await isthmus(['endpoints', 'wep'], { env })
  t.equal(unknown.code, 1)
  t.match(unknown.err, 'isthmus: no source has ever named the service default/wep; near names: default/web\n')
  const bad = await isthmus(['why', 'web', '10.0.0.1'], { env })
  t.equal(bad.code, 2)
  t.match(bad.err, /must be IP:PORT/)
  t.equal((await isthmus(['services', '--health', 'good'], { env })).code, 2)
})

t.test('a name in several namespaces must be told apart', async t => {
  const { env, gateway } = await listening(t)
  gateway.put('dc1', 'eu/pay', [{ address: '10.1.0.1', port: 1, id: 'a' }])
  const ran = await isthmus(['endpoints', 'pay'], { env })
  t.equal(ran.code, 2)
  t.match(ran.err, /"pay" is in several namespaces; say which: eu\/pay, shop\/pay/)
  t.equal((await isthmus(['endpoints', 'pay.eu', '-o', 'name'], { env })).out, '10.1.0.1:1\n')
})

t.test('tokens come from a file', async t => {
  const file = join(t.testdir({ token: 'abc\n' }), 'token')
  const { env } = await listening(t, new FakeGateway(), { tokens: [{ name: 'a', role: 'read', file }] })
  const refused = await isthmus(['status'], { env })
  t.equal(refused.code, 1)
  t.match(refused.err, /--token-file/)
  t.equal((await isthmus(['status', '--token-file', file], { env })).code, 0)
  t.equal((await isthmus(['status'], { env: { ...env, ISTHMUS_TOKEN_FILE: file } })).code, 0)
})

t.test('--watch prints again when something changes, until interrupted', async t => {
  const { env, gateway } = await listening(t)
  const stop = new AbortController()
  const pictures: string[] = []
  const ran = await isthmus(['services', '-w', '-o', 'name'], {
    env,
    signal: stop.signal,
    onOut: text => {
      pictures.push(text)
      if (pictures.length === 1)
        void gateway.clock.asleep().then(() => gateway.put('dc1', 'a/b', [{ address: '10.1.0.1', port: 1, id: 'a' }]))
      else stop.abort()
    },
  })
  t.equal(ran.code, 0)
  t.strictSame(pictures, ['default/web\nshop/pay\n\n', 'a/b\ndefault/web\nshop/pay\n\n'])
})

t.test('offline: validate names each object, translate prints what Envoy would get', async t => {
  const folder = t.testdir({
    'good.yaml':
      'apiVersion: getambassador.io/v3alpha1\nkind: Listener\nmetadata: { name: http }\nspec: { port: 8080, protocol: HTTP, securityModel: INSECURE, hostBinding: { namespace: { from: ALL } } }\n---\n' +
      'apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: { name: web }\nspec: { hostname: "*", prefix: /web/, service: web }\n',
    more: { 'bad.yaml': 'apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: { name: bad }\nspec:\n  prefx: /\n' },
  })
  const good = join(folder, 'good.yaml')
  const ran = await isthmus(['validate', '-f', good])
  t.equal(ran.code, 0)
  t.equal(ran.out, `${good}:1: Listener default/http: accepted\n${good}:6: Mapping default/web: accepted\n2 objects: 0 refused\n`)
  const both = await isthmus(['validate', '-f', folder])
  t.equal(both.code, 1)
  t.match(both.out, /bad\.yaml:5: Mapping default\/bad: refused: spec\.prefx: unknown field/)
  const json = JSON.parse((await isthmus(['validate', '-f', good, '-o', 'json'])).out) as { items: unknown[] }
  t.equal(json.items.length, 2)

  const envoy = await isthmus(['translate', '-f', folder])
  t.equal(envoy.code, 1)
  t.match(envoy.err, /Mapping default\/bad: refused/)
  t.match(JSON.parse(envoy.out), { listeners: [{}], routes: [{}], clusters: [{}], endpoints: [{}] })
  t.match((JSON.parse(envoy.out) as { objects: unknown }).objects, [
    { kind: 'Listener', state: 'accepted', became: ['listener listener-8080'] },
    { name: 'bad', state: 'refused', problems: [{ path: 'spec.prefx' }, {}, {}], became: [] },
    {
      kind: 'Mapping',
      name: 'web',
      became: [/^route 0 of virtual host \* in .*: prefix \/web\/, to cluster default\/web$/, 'cluster default/web'],
    },
  ])
  t.match(JSON.parse((await isthmus(['translate', '-f', good, '-o', 'ir'])).out), {
    listeners: [{}],
    routeConfigs: [{}],
    clusters: [{ kind: 'eds' }],
  })
})

t.test('bootstrap prints what Envoy needs', async t => {
  const { out, code } = await isthmus([
    'bootstrap',
    '--node-id',
    'edge-7',
    '--xds',
    '10.0.0.1:18000',
    '--protocol',
    'sotw',
    '--admin-port',
    '9901',
  ])
  t.equal(code, 0)
  t.match(JSON.parse(out), { node: { id: 'edge-7', cluster: 'isthmus' }, admin: { address: { socket_address: { port_value: 9901 } } } })
})

t.test('completion knows every command and its options', async t => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { out, code } = await isthmus(['completion', shell])
    t.equal(code, 0)
    for (const { name } of commands) t.match(out, name)
    t.match(out, shell === 'fish' ? '-l xds-listen' : '--xds-listen')
  }
})

t.test('a client command loads no server and no schema library', async t => {
  const probe = `
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ load: (url, context, next) => { seen.push(url); return next(url, context) } })
    const { run } = await import(${JSON.stringify(new URL('../../src/cli/program.ts', import.meta.url).href)})
    const io = { out: { write() {} }, err: { write() {} }, env: { ISTHMUS_ADMIN: 'http://127.0.0.1:1' }, cwd: '/', interrupted: new AbortController().signal }
    for (const args of [['--help'], ['version'], ['status'], ['endpoints', 'a'], ['why', 'a', '1.1.1.1:1']]) await run(args, io)
    console.log(JSON.stringify(seen.filter(url => /node_modules\\/(typebox|fastify|pino|ajv|yaml|protobufjs|@grpc|prom-client)\\//.test(url))))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', probe])
  t.strictSame(JSON.parse(stdout), [])
})

t.test('the program runs as a process of its own', async t => {
  const { stdout } = await promisify(execFile)(process.execPath, [main, 'version', '-o', 'name'])
  t.equal(stdout, `${version}\n`)
})
