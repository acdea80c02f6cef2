import { readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { startGrpcBackend } from '../tools/grpc-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, moduleObject, moduleSetter, type Stage, startStage, vmService } from './stage.ts'

/** A stage with an HTTP backend under /web/, a gRPC one under /test.Echo/, and the Module to be set. */
async function begin(t: Test): Promise<{ stage: Stage; set: ReturnType<typeof moduleSetter> }> {
  const web = createServer(({ headers }, response) => {
    const body = JSON.stringify({ headers })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  }).listen(0, '127.0.0.1')
  await once(web, 'listening')
  const echo = await startGrpcBackend('echo')
  t.teardown(() => {
    web.closeAllConnections()
    web.close()
  })
  t.teardown(() => echo.stop())
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', (web.address() as AddressInfo).port), vmService('echo', echo.port)])
  await stage.manifests('web', [
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    mappingObject('echo', { prefix: '/test.Echo/', rewrite: '', service: 'echo', grpc: true }),
  ])
  await stage.answers('/web/', answer => answer.status === 200)
  return { stage, set: moduleSetter(stage) }
}

interface Posted {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly trailers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/** One HTTP/1.1 request on a connection of its own, and its answer as bytes. */
function send(url: string, method: string, headers: Readonly<Record<string, string>>, body?: Buffer): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, response => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, trailers: response.trailers, body: Buffer.concat(parts) }),
      )
    })
    sent.on('error', reject).end(body)
  })
}

/** A gRPC message in its frame. */
function frame(flags: number, message: string): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(flags, 0)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, Buffer.from(message)])
}

t.test('Module: gRPC-Web and gRPC over HTTP/1.1 reach a gRPC service; their statistics (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  const who = `${stage.url}/test.Echo/Who`
  const ask = (type: string, body: Buffer, url = who) => send(url, 'POST', { 'content-type': type, accept: type, 'x-grpc-web': '1' }, body)
  await set({ enable_grpc_web: false, enable_grpc_http11_bridge: false })
  t.not((await ask('application/grpc-web+proto', frame(0, ''))).headers['content-type'], 'application/grpc-web+proto')

  await set({ enable_grpc_web: true })
  const binary = await ask('application/grpc-web+proto', frame(0, ''))
  t.equal(binary.headers['content-type'], 'application/grpc-web+proto')
  t.same(binary.body.subarray(0, 9), frame(0, 'echo'), 'the message')
  t.equal(binary.body[9], 0x80, 'and the trailers in the body')
  t.match(binary.body.subarray(14).toString(), /grpc-status: ?0/)
  const text = await ask('application/grpc-web-text', Buffer.from(frame(0, '').toString('base64')))
  t.match(text.headers['content-type'], /^application\/grpc-web-text/)
  t.same(Buffer.from(text.body.toString().slice(0, 12), 'base64'), frame(0, 'echo'))
  const unknown = await ask('application/grpc-web+proto', frame(0, ''), `${stage.url}/test.Echo/Nobody`)
  t.match(`${String(unknown.headers['grpc-status'])}${unknown.body.toString()}`, /12/, 'unimplemented')

  await set({ enable_grpc_http11_bridge: true, grpc_stats: { services: [{ name: 'test.Echo', method_names: ['Who'] }] } })
  const bridged = await send(who, 'POST', { 'content-type': 'application/grpc' }, frame(0, ''))
  t.match(bridged, { status: 200, headers: { 'grpc-status': '0' } }, 'the status is a header')
  t.same(bridged.body, frame(0, 'echo'))
  const failed = await send(`${stage.url}/test.Echo/Nobody`, 'POST', { 'content-type': 'application/grpc' }, frame(0, ''))
  t.match(failed, { headers: { 'grpc-status': '12' } })
  t.equal((await stage.envoy.stats('grpc.test.Echo.Who.success')).values().next().value, 1)
  await set({ grpc_stats: { all_methods: true, upstream_stats: true }, enable_grpc_web: true })
  await ask('application/grpc-web+proto', frame(0, ''), `${stage.url}/test.Echo/Nobody`)
  t.equal((await stage.envoy.stats('grpc.test.Echo.Nobody.total')).values().next().value, 1)
})

t.test('Module: gzip and brotli (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  const ask = (encodings: string, more: Readonly<Record<string, string>> = {}) =>
    send(`${stage.url}/web/`, 'GET', { 'accept-encoding': encodings, 'x-long': 'x'.repeat(400), ...more })
  await set({})
  t.equal((await ask('gzip, br')).headers['content-encoding'], undefined)
  await set({ gzip: { compression_level: 'BEST', memory_level: 9, window_bits: 15, compression_strategy: 'DEFAULT' } })
  const zipped = await ask('gzip')
  t.equal(zipped.headers['content-encoding'], 'gzip')
  t.match(JSON.parse(gunzipSync(zipped.body).toString()), { headers: { 'accept-encoding': 'gzip' } })
  t.equal((await ask('br')).headers['content-encoding'], undefined)
  await set({ gzip: { min_content_length: 100_000 } })
  t.equal((await ask('gzip')).headers['content-encoding'], undefined, 'too short to be worth it')
  await set({ gzip: { content_type: ['text/html'] } })
  t.equal((await ask('gzip')).headers['content-encoding'], undefined, 'not of this type')
  await set({ gzip: { remove_accept_encoding_header: true }, brotli: { quality: 4 } })
  const both = await ask('gzip, br')
  t.equal(both.headers['content-encoding'], 'br', 'who takes both gets the smaller one')
  t.match(JSON.parse(brotliDecompressSync(both.body).toString()), { headers: { 'x-long': /^x+$/ } })
  const hidden = await ask('gzip')
  t.equal(hidden.headers['content-encoding'], 'gzip')
  t.notOk('accept-encoding' in (JSON.parse(gunzipSync(hidden.body).toString()) as { headers: object }).headers)
})

t.test(
  'Module: Lua; a script or a log file that Envoy cannot take is shown, and what was served goes on (emissary-resources.md 6)',
  async t => {
    const { stage, set } = await begin(t)
    const script = 'function envoy_on_response(handle)\n  handle:headers():add("x-lua", handle:headers():get(":status"))\nend\n'
    await set({ lua_scripts: script })
    t.equal((await get(`${stage.url}/web/`)).headers['x-lua'], '200')
    await stage.manifests('module', [moduleObject({ lua_scripts: 'function envoy_on_response(' })])
    interface Proxies {
      readonly items: readonly {
        readonly state: string
        readonly types: readonly { readonly lastNack: { readonly text: string } | null }[]
      }[]
    }
    const proxy = async () => (await stage.api<Proxies>('/api/v1/proxies')).items[0]
    await eventually('Envoy’s refusal shows', async () => (await proxy())?.state === 'rejected')
    t.match((await proxy())?.types.flatMap(({ lastNack }) => lastNack?.text ?? []).join(), /script load error/)
    t.equal((await get(`${stage.url}/web/`)).headers['x-lua'], '200')
    await stage.manifests('more', [mappingObject('more', { prefix: '/more/', service: 'web' })])
    await stage.answers('/more/', answer => answer.status === 200)
    const rejections = async () =>
      (await stage.api<{ rejections: { proxy: string; text: string }[] }>('/api/v1/objects/Module/default/ambassador')).rejections
    t.match(await rejections(), [{ proxy: 'edge-1', text: /script load error/ }], 'at the Module')
    await stage.manifests('module', [moduleObject({ envoy_log_path: '/nonexistent/folder/x.log' })])
    await eventually('the file shows', async () => (await rejections()).some(({ text }) => text.includes('/nonexistent/folder/x.log')))
    t.equal((await get(`${stage.url}/web/`)).headers['x-lua'], '200', 'the listener is what it was')
    await set({})
    t.equal((await get(`${stage.url}/web/`)).headers['x-lua'], undefined)
  },
)

t.test('Module: access logs, as text and JSON, to a file and to standard output (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  const file = join(stage.folder, 'access.log')
  // Envoy writes them down when there are enough of them, or after a while.
  const logged = async (from: () => Promise<string> | string, wanted: RegExp) => {
    let text = ''
    await eventually('the line is written', async () => wanted.test((text = await from())), 30_000)
    return text.split('\n').find(line => wanted.test(line)) ?? ''
  }
  const ofFile = () => readFile(file, 'utf8').catch(() => '')
  await set({ envoy_log_path: file, envoy_log_format: 'line %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %UPSTREAM_CLUSTER%' })
  await get(`${stage.url}/web/text`)
  t.equal(await logged(ofFile, /\/web\/text/), 'line /web/text 200 web')
  await set({
    envoy_log_path: file,
    envoy_log_type: 'json',
    envoy_log_format: { path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', code: '%RESPONSE_CODE%' },
  })
  await get(`${stage.url}/web/json`)
  t.same(JSON.parse(await logged(ofFile, /\/web\/json/)), { path: '/web/json', code: 200 })
  await set({ envoy_log_type: 'text' })
  await get(`${stage.url}/web/out`)
  t.match(await logged(() => stage.envoy.output(), /\/web\/out/), /^ACCESS \[[^\]]+\] "GET \/web\/out HTTP\/1\.1" 200 /)
})
