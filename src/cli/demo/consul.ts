import { setTimeout as sleep } from 'node:timers/promises'
import { IsthmusError } from '../../model/errors.ts'
import type { Children } from './children.ts'
import { freePorts } from './free-ports.ts'

/** A Consul dev agent on loopback: memory only, on ports of its own, so that a Consul that runs here already is left alone. */
export class DemoConsul {
  readonly url: string
  readonly #command: readonly string[]

  private constructor(url: string, command: readonly string[]) {
    this.url = url
    this.#command = command
  }

  /** Starts the agent and waits until it has a leader, at most 30 s. Throws `tool-missing` with its last words otherwise. */
  static async start(children: Children, program: string): Promise<DemoConsul> {
    const [http = 0, server = 0, lan = 0, wan = 0] = await freePorts(4)
    const flags = {
      'http-port': http,
      'server-port': server,
      'serf-lan-port': lan,
      'serf-wan-port': wan,
      'grpc-port': -1,
      'grpc-tls-port': -1,
      'dns-port': -1,
    }
    const args = ['agent', '-dev', '-bind', '127.0.0.1', '-client', '127.0.0.1', '-log-level', 'warn']
    const all = [...args, ...Object.entries(flags).map(([flag, port]) => `-${flag}=${String(port)}`)]
    await children.start('Consul', program, all)
    const consul = new DemoConsul(`http://127.0.0.1:${String(http)}`, [program, ...all])
    const deadline = performance.now() + 30_000
    while (!(await consul.#hasLeader())) {
      if (performance.now() > deadline) throw new IsthmusError('tool-missing', `demo: Consul did not start:\n${children.words('Consul')}`)
      await sleep(50)
    }
    return consul
  }

  async register(id: string, port: number): Promise<void> {
    await this.#put('/v1/agent/service/register', { ID: id, Name: 'hello', Address: '127.0.0.1', Port: port })
  }

  /** A shell script that starts the same agent anew, in the foreground; it comes back empty. */
  get script(): string {
    const words = this.#command.map(word => `'${word.replaceAll("'", "'\\''")}'`)
    return `#!/bin/sh\nexec ${words.join(' ')} > /dev/null 2>&1\n`
  }

  async #put(path: string, body: unknown): Promise<void> {
    const response = await fetch(this.url + path, { method: 'PUT', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`Consul answers ${String(response.status)}: ${await response.text()}`)
  }

  async #hasLeader(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/v1/status/leader`)
      return response.ok && (await response.text()).length > 2
    } catch {
      // Not listening yet; the caller's deadline bounds this.
      return false
    }
  }
}
