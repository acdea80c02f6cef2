import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consulPath } from './consul.ts'
import { freePort } from './local.ts'
import { type Child, startProcess } from './process.ts'

/** A service instance as a test registers it; the fields become those of Consul's agent API. */
export interface ConsulService {
  readonly name: string
  /** Default: the name. */
  readonly id?: string
  readonly address?: string
  readonly port?: number
  readonly tags?: readonly string[]
  readonly meta?: Readonly<Record<string, string>>
  readonly weights?: { readonly passing: number; readonly warning: number }
  /** Gives the instance a TTL check `service:ID`, such as `1h`, which setCheck changes. Without it the instance has no check. */
  readonly ttl?: string
  /** State the TTL check starts in; default passing. */
  readonly status?: CheckStatus
  /** Any further field of Consul's own body. */
  readonly extra?: Readonly<Record<string, unknown>>
}

export type CheckStatus = 'passing' | 'warning' | 'critical'

export interface ConsulOptions {
  readonly datacenter?: string
  /** Keeps its data over kill and restart: a real server instead of a dev agent, a second or two slower to start. */
  readonly persistent?: boolean
  /** Ports by Consul's names (http, serf_lan, …) instead of free ones; -1 turns one off. */
  readonly ports?: Readonly<Record<string, number>>
  /** Merged over the agent's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
}

/** A Consul agent on 127.0.0.1. Each method that calls it throws with Consul's answer if that is not 2xx. */
export interface ConsulAgent {
  readonly url: string
  readonly ports: Readonly<Record<string, number>>
  register(service: ConsulService): Promise<void>
  deregister(serviceId: string): Promise<void>
  /** Sets a TTL check: that of the instance's own `ttl`, or another named by its full id. */
  setCheck(serviceId: string, status: CheckStatus, options?: { readonly checkId?: string; readonly output?: string }): Promise<void>
  maintenance(serviceId: string, on: boolean, reason?: string): Promise<void>
  /** Any call of the HTTP API, such as `PUT`, `/v1/kv/a`, a string (sent as it is) or a value (sent as JSON). Gives the parsed answer. */
  request(method: string, path: string, body?: unknown): Promise<unknown>
  /** Freezes the process (it keeps its sockets and answers nothing), or thaws it. */
  freeze(on: boolean): void
  /** Ends the process at once. */
  kill(): Promise<void>
  /** Starts it again on the same ports, after kill() or in its place; a dev agent comes back empty. */
  restart(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
  output(): string
}

/** Starts a Consul agent and waits until it has a leader. Throws with its output if it does not come up within 30 s. */
export async function startConsul(options: ConsulOptions = {}): Promise<ConsulAgent> {
  const program = await consulPath()
  const ports = { ...(await ownPorts()), ...options.ports }
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-consul-agent-'))
  const file = join(folder, 'config.json')
  await writeFile(file, JSON.stringify({ ...configuration(options, ports), ...options.config }))
  const mode = options.persistent === true ? ['-server', '-bootstrap-expect=1', `-data-dir=${join(folder, 'data')}`] : ['-dev']
  const agent = new LocalConsul(program, ['agent', ...mode, `-config-file=${file}`], folder, ports)
  try {
    await agent.restart()
  } catch (error) {
    await agent.stop()
    throw error
  }
  return agent
}

async function ownPorts(): Promise<{ http: number } & Record<string, number>> {
  const [http, server, serf_lan, serf_wan] = [await freePort(), await freePort(), await freePort(), await freePort()]
  return { http, server, serf_lan, serf_wan, https: -1, dns: -1, grpc: -1, grpc_tls: -1 }
}

function configuration(options: ConsulOptions, ports: Readonly<Record<string, number>>): Record<string, unknown> {
  return {
    datacenter: options.datacenter ?? 'dc1',
    node_name: 'test-node',
    bind_addr: '127.0.0.1',
    advertise_addr: '127.0.0.1',
    client_addr: '127.0.0.1',
    ports,
    // One address holds all watches of a gateway and of the test; Consul's default is 200 connections.
    limits: { http_max_conns_per_client: 2000 },
    performance: { raft_multiplier: 1 },
    disable_update_check: true,
    leave_on_terminate: false,
    log_level: 'warn',
  }
}

class LocalConsul implements ConsulAgent {
  readonly url: string
  readonly ports: Readonly<Record<string, number>>
  readonly #program: string
  readonly #args: readonly string[]
  readonly #folder: string
  #child: Child | undefined

  constructor(program: string, args: readonly string[], folder: string, ports: { http: number } & Record<string, number>) {
    this.url = `http://127.0.0.1:${ports.http}`
    this.ports = ports
    this.#program = program
    this.#args = args
    this.#folder = folder
  }

  async register(service: ConsulService): Promise<void> {
    const check = service.ttl === undefined ? {} : { Check: { TTL: service.ttl, Status: service.status ?? 'passing' } }
    await this.request('PUT', '/v1/agent/service/register', {
      Name: service.name,
      ID: service.id ?? service.name,
      Address: service.address,
      Port: service.port,
      Tags: service.tags,
      Meta: service.meta,
      Weights: service.weights && { Passing: service.weights.passing, Warning: service.weights.warning },
      ...check,
      ...service.extra,
    })
  }

  async deregister(serviceId: string): Promise<void> {
    await this.request('PUT', `/v1/agent/service/deregister/${encodeURIComponent(serviceId)}`)
  }

  async setCheck(serviceId: string, status: CheckStatus, options: { checkId?: string; output?: string } = {}): Promise<void> {
    const id = options.checkId ?? `service:${serviceId}`
    await this.request('PUT', `/v1/agent/check/update/${encodeURIComponent(id)}`, { Status: status, Output: options.output ?? '' })
  }

  async maintenance(serviceId: string, on: boolean, reason = 'test'): Promise<void> {
    const query = new URLSearchParams({ enable: String(on), reason })
    await this.request('PUT', `/v1/agent/service/maintenance/${encodeURIComponent(serviceId)}?${query.toString()}`)
  }

  async request(method: string, path: string, body?: unknown): Promise<unknown> {
    const content = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
    const response = await fetch(this.url + path, { method, ...content, signal: AbortSignal.timeout(10_000) })
    const text = await response.text()
    if (!response.ok) throw new Error(`Consul: ${method} ${path}: ${response.status} ${text}`)
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    return isJson && text !== '' ? JSON.parse(text) : text
  }

  freeze(on: boolean): void {
    this.#child?.signal(on ? 'SIGSTOP' : 'SIGCONT')
  }

  async kill(): Promise<void> {
    await this.#child?.kill()
  }

  async restart(): Promise<void> {
    await this.kill()
    const child = await startProcess(this.#program, this.#args)
    this.#child = child
    await child.until('Consul has no leader', () => this.#serves(), 30_000)
  }

  async stop(): Promise<void> {
    this.freeze(false)
    await this.#child?.stop()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  output(): string {
    return this.#child?.output() ?? ''
  }

  /** A leader alone is too early: registrations fail until the leader knows its own node. */
  async #serves(): Promise<boolean> {
    const nodes = await this.request('GET', '/v1/catalog/nodes')
    return Array.isArray(nodes) && nodes.length > 0
  }
}
