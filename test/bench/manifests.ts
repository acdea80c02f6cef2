/**
 * `npm run bench:manifests`: how long many Mappings take to be served, and how soon an edited one is. A gateway process with 100 Hosts, one ADS
 * Delta stream that takes everything; one Mapping after another is edited by exchanging the file of its Host.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as grpc from '@grpc/grpc-js'
import { decodeMessage, encodeMessage } from '../../src/xds/codec.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { benchPorts, startGateway } from './gateway.ts'
import { summarise } from './summary.ts'

const hosts = 100
const edits = 30
const between = 200
const settleMs = 3000
const editMost = 30_000

const listener = `apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: { name: bench }
spec: { port: 8080, protocol: HTTP, securityModel: INSECURE, hostBinding: { namespace: { from: ALL } } }
`

/** The file of one Host: `mappings` of them, the first in its `version`. */
function hostFile(host: number, mappings: number, version = 0): string {
  const own = (index: number): string => `---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: { name: m-${String(host)}-${String(index)} }
spec:
  hostname: h${String(host)}.example
  prefix: ${index === 0 ? editedPrefix(host, version) : `/p-${String(index)}/`}
  service: svc-${String((host * mappings + index) % 1000)}
  timeout_ms: 4000
  retry_policy: { retry_on: 5xx, num_retries: 2 }
  add_request_headers: { x-a: { value: b } }
`
  const head = `apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: { name: host-${String(host)} }
spec: { hostname: h${String(host)}.example, requestPolicy: { insecure: { action: Route } } }
`
  return head + Array.from({ length: mappings }, (_, index) => own(index)).join('')
}

function editedPrefix(host: number, version: number): string {
  return `/edited-${String(host)}-version-${String(version)}/`
}

/** One ADS Delta stream that takes clusters, listeners and routes and acknowledges at once. Responses are looked at before they are decoded. */
class RouteClient {
  readonly #client: grpc.Client
  readonly #call: grpc.ClientDuplexStream<Buffer, Buffer>
  #wanted: { readonly text: Buffer; readonly seen: (at: number) => void } | undefined
  bytes = 0

  constructor(port: number) {
    const asIs = (bytes: Buffer): Buffer => bytes
    this.#client = new grpc.Client(`127.0.0.1:${String(port)}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    })
    const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'
    this.#call = this.#client.makeBidiStreamRequest(method, asIs, asIs)
    this.#call.on('data', (bytes: Buffer) => this.#take(bytes, performance.now()))
    this.#call.on('error', () => undefined)
    this.#send({ node: { id: 'bench', cluster: 'bench' }, typeUrl: typeUrls.cluster })
    this.#send({ typeUrl: typeUrls.listener })
  }

  /** When a response that holds the text arrives. */
  seen(text: string): Promise<number> {
    return new Promise(resolve => (this.#wanted = { text: Buffer.from(text), seen: resolve }))
  }

  close(): void {
    this.#call.cancel()
    this.#client.close()
  }

  #take(bytes: Buffer, at: number): void {
    this.bytes += bytes.length
    if (this.#wanted !== undefined && bytes.includes(this.#wanted.text)) this.#wanted.seen(at)
    const response = decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes) as { typeUrl: string; nonce: string }
    this.#send({ typeUrl: response.typeUrl, responseNonce: response.nonce })
    if (response.typeUrl === typeUrls.listener) this.#send({ typeUrl: typeUrls.route, resourceNamesSubscribe: ['routes|INSECURE|all'] })
  }

  #send(request: { typeUrl: string } & Record<string, unknown>): void {
    this.#call.write(encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', request))
  }
}

async function run(mappings: number): Promise<readonly string[]> {
  const each = mappings / hosts
  const files = Object.fromEntries(Array.from({ length: hosts }, (_, host) => [`host-${String(host)}.yaml`, hostFile(host, each)]))
  const started = performance.now()
  const gateway = await startGateway({ ...files, 'listener.yaml': listener }, ['{ name: vms, type: vm }'], await benchPorts())
  try {
    await gateway.ready()
    const ready = (performance.now() - started) / 1000
    const start = await gateway.probe()
    const cpuStart = (await gateway.cpu()) / 1000
    const client = new RouteClient(gateway.ports.xds)
    await client.seen(editedPrefix(hosts - 1, 0))
    await sleep(settleMs)
    const bytesBefore = client.bytes
    await gateway.probe()
    const cpuBefore = await gateway.cpu()
    const times: number[] = []
    for (let version = 1; version <= edits; version++) {
      const host = version % hosts
      const text = hostFile(host, each, version)
      const arrived = client.seen(editedPrefix(host, version))
      const sent = performance.now()
      await gateway.manifest(`host-${String(host)}.yaml`, text)
      const at = await Promise.race([arrived, sleep(editMost).then(() => undefined)])
      if (at === undefined) throw new Error(`an edit did not arrive within ${String(editMost)} ms`)
      times.push(at - sent)
      await sleep(between)
    }
    const { loop } = await gateway.probe()
    const cpu = ((await gateway.cpu()) - cpuBefore) / edits
    const { now, most } = await gateway.memory()
    await gateway.collect()
    const collected = (await gateway.memory()).now
    const { p50, p99 } = summarise(times)
    client.close()
    return [
      String(mappings),
      `${ready.toFixed(2)} / ${cpuStart.toFixed(2)}`,
      start.loop.max.toFixed(0),
      `${p50.toFixed(0)} / ${p99.toFixed(0)}`,
      cpu.toFixed(0),
      loop.max.toFixed(0),
      String(Math.round((client.bytes - bytesBefore) / edits)),
      `${now.toFixed(0)} / ${collected.toFixed(0)} / ${most.toFixed(0)}`,
    ]
  } finally {
    await gateway.stop()
  }
}

const heads = [
  'Mappings',
  'start → ready s / CPU s',
  'longest stall till then ms',
  'edit → bytes p50 / p99 ms',
  'CPU ms/edit',
  'longest stall ms',
  'bytes/edit',
  'RSS now / collected / most MB',
]
const sizes = process.argv.slice(2).map(Number)
const line = (cells: readonly string[]): void => void process.stdout.write(`| ${cells.join(' | ')} |\n`)
line(heads)
line(heads.map(() => '---'))
for (const size of sizes.length > 0 ? sizes : [1000, 10_000]) line(await run(size))
