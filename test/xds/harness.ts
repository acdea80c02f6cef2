import type { Test } from 'tap'
import { ResourceCache } from '../../src/xds/cache.ts'
import type { Resource } from '../../src/xds/resource.ts'
import type { TlsFiles } from '../../src/settings/settings.ts'
import { readTls } from '../../src/settings/tls.ts'
import { createXdsServer, type XdsServer, type XdsServerOptions } from '../../src/xds/server.ts'
import type { ResourceType } from '../../src/xds/type-urls.ts'
import { ManualClock } from '../envoy/manual-clock.ts'
import { Peer } from './peer.ts'
import { type Protocol, RawClient, type RawResponse, type RawStream } from './raw-client.ts'
import { key, resource } from './resources.ts'

export interface HarnessGiven {
  readonly resources?: readonly Resource[]
  /** A gate that is closed until `openGate` is called. */
  readonly gated?: boolean
  readonly tls?: TlsFiles
  readonly clock?: ManualClock
  readonly options?: Partial<Pick<XdsServerOptions, 'viewOf' | 'admission' | 'keepalive' | 'maxConnectionAgeMs' | 'verifyNode'>>
}

export interface Observation {
  readonly what: 'written' | 'acked' | 'nacked'
  readonly type: ResourceType
  /** Of what was written. */
  readonly bytes?: number
}

export interface LogLine {
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly data: object
}

/** A server on a port of its own, its cache, and a clock that the test moves. All of it is closed when the test ends. */
export class Harness {
  readonly clock: ManualClock
  readonly cache: ResourceCache
  readonly server: XdsServer
  readonly observed: Observation[] = []
  /** What clients did wrong and which bounds were used, as it is counted. */
  readonly faults: string[] = []
  readonly bounds: string[] = []
  readonly logged: LogLine[] = []
  port = 0
  #client: RawClient | undefined
  readonly #openers: (() => void)[] = []
  #gateOpen: boolean
  #markers = 0
  #closed = false

  constructor({ gated = false, clock = new ManualClock(), resources = [], options = {} }: HarnessGiven) {
    this.clock = clock
    this.#gateOpen = !gated
    this.cache = new ResourceCache({ clock })
    this.put(...resources)
    const isOpen = (): boolean => this.#gateOpen
    const log = (level: LogLine['level']) => (data: object, message: string) => void this.logged.push({ level, data, message })
    this.server = createXdsServer({
      cache: this.cache,
      id: 'isthmus-test',
      clock,
      random: () => 0.5,
      log: { info: log('info'), warn: log('warn') },
      gate: {
        get open() {
          return isOpen()
        },
        onOpen: callback => {
          if (isOpen()) callback()
          else this.#openers.push(callback)
        },
      },
      observe: {
        written: (type, bytes) => void this.observed.push({ what: 'written', type, bytes }),
        acked: type => void this.observed.push({ what: 'acked', type }),
        nacked: type => void this.observed.push({ what: 'nacked', type }),
        fault: fault => void this.faults.push(fault),
        bound: bound => void this.bounds.push(bound),
      },
      verifyNode: false,
      admission: { perSecond: 1e6, burst: 1e6, longestWaitMs: 0 },
      ...options,
    })
  }

  /** The sources are in sync: streams are answered from now on. */
  openGate(): void {
    this.#gateOpen = true
    for (const tell of this.#openers.splice(0)) tell()
  }

  put(...resources: readonly Resource[]): void {
    this.cache.patch({ upsert: resources, remove: [] })
  }

  remove(...ids: readonly string[]): void {
    this.cache.patch({ upsert: [], remove: ids.map(key) })
  }

  /** The connection of all streams. */
  connect(): RawClient {
    this.#client ??= new RawClient(this.port)
    return this.#client
  }

  open(protocol: Protocol, service?: 'ads' | ResourceType, id = 'envoy-1'): RawStream {
    return this.connect().open(protocol, service, { id, cluster: 'edge' })
  }

  /** An ADS stream that keeps the books. */
  peer(protocol: Protocol, id?: string): Peer {
    return new Peer(this.open(protocol, 'ads', id))
  }

  /** Cuts the connection of all streams. */
  disconnect(): void {
    this.#client?.close()
    this.#client = undefined
  }

  /**
   * Proves that an ADS stream was sent nothing: a question about a new runtime layer is asked, and its answer is the very next response. Runtime
   * is last in the order of the wire, so what was due would have come before.
   */
  async silent(t: Test, stream: RawStream, why: string): Promise<void> {
    const response = await this.marker(stream)
    t.same([...response.names, ...response.removed], [`marker-${String(this.#markers)}`], why)
  }

  /** Asks for a new runtime layer and gives the next response, acknowledged if it is that. */
  async marker(stream: RawStream): Promise<RawResponse> {
    this.#markers++
    const name = `marker-${String(this.#markers)}`
    this.put(resource(`runtime ${name}`))
    stream.ask('runtime', [name])
    const response = await stream.next()
    if (response.names.includes(name)) stream.ack(response, [name])
    return response
  }

  /** Answers responses until there is nothing more to answer; gives how many there were. */
  async settle(peer: Peer, answer: (text: string) => void): Promise<number> {
    for (let answered = 0; ; ) {
      this.#markers++
      const marker = `marker-${String(this.#markers)}`
      this.put(resource(`runtime ${marker}`))
      peer.subscribe('runtime', marker)
      const before = answered
      for (let text = await peer.next(); ; text = await peer.next()) {
        if (text.startsWith('runtime')) break
        answered++
        answer(text)
      }
      peer.ack('runtime')
      if (answered === before) return answered
    }
  }

  async listen(tls?: TlsFiles): Promise<void> {
    this.port = await this.server.listen({ host: '127.0.0.1', port: 0 }, tls && readTls('xds.tls', tls))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.disconnect()
    let closed = false
    const closing = this.server.close(0).then(() => (closed = true))
    await until(() => {
      this.clock.advance(100)
      return closed
    })
    await closing
  }
}

/** A server that listens. */
export async function startXds(t: Test, given: HarnessGiven = {}): Promise<Harness> {
  const harness = new Harness(given)
  t.teardown(() => harness.close())
  await harness.listen(given.tls)
  return harness
}

/** Resolves once a condition holds; looks after each turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}
