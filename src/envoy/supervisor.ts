import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BackOff } from '../discovery/back-off.ts'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import { errorText } from '../model/errors.ts'
import { EnvoyAdminClient } from './admin-client.ts'
import { type EnvoyChild, startChild } from './child.ts'
import { drain } from './drain.ts'
import { logFormat, parseLogLine } from './log-line.ts'

export interface SupervisorGiven {
  /** The executable: a path, or a name on PATH. */
  readonly path: string
  /** From `bootstrap`. */
  readonly bootstrap: object
  /** The bootstrap's admin port. */
  readonly adminPort: number
  /** The longest a drain may take; 0: none. */
  readonly drainSeconds: number
  /** It ends earlier when nobody came for so long. */
  readonly quietSeconds: number
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: SourceLog
  /** From which level on Envoy logs; default `warning`. */
  readonly logLevel?: 'debug' | 'info' | 'warning' | 'error'
}

export interface EnvoyStatus {
  /** `waiting`: it ended by itself and is started again soon. */
  readonly state: 'running' | 'waiting' | 'stopped'
  readonly pid: number | undefined
  readonly restarts: number
  /** How the last one ended, such as `code 1`. */
  readonly lastExit: string | undefined
}

const firstRestartMs = 500
const maxRestartMs = 30_000
/** An Envoy that ran for this long was all right: its end is not one more failure in a row. */
const settledMs = 10_000
/** After SIGTERM an Envoy closes what is open and ends; one that does not is killed. */
const termMs = 5000

/** Keeps one Envoy running beside the gateway, from `start` to `stop`. */
export class EnvoySupervisor {
  readonly #given: SupervisorGiven
  readonly #backOff = new BackOff(firstRestartMs, maxRestartMs)
  readonly #stopping = new AbortController()
  #folder: string | undefined
  #child: EnvoyChild | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined
  #restarts = 0
  #lastExit: string | undefined

  constructor(given: SupervisorGiven) {
    this.#given = given
  }

  /** Resolves once Envoy runs; whether it is ready depends on the configuration it gets. Throws `tool-missing` if it cannot be run. */
  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'isthmus-envoy-'))
    try {
      await writeFile(this.#file(this.#folder), JSON.stringify(this.#given.bootstrap), { mode: 0o600 })
      this.#running = this.#keepRunning(await this.#startChild(this.#folder), this.#folder)
    } catch (error) {
      await this.#removeFolder()
      throw error
    }
  }

  /** Drains Envoy and ends it. Never throws. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  status(): EnvoyStatus {
    const idle = this.#folder === undefined || this.#isStopping() ? 'stopped' : 'waiting'
    const state = this.#child === undefined ? idle : 'running'
    return { state, pid: this.#child?.pid, restarts: this.#restarts, lastExit: this.#lastExit }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    const child = this.#child
    if (child !== undefined) await this.#end(child)
    await this.#running
    await this.#removeFolder()
  }

  async #end(child: EnvoyChild): Promise<void> {
    const { adminPort, drainSeconds, quietSeconds, clock, log } = this.#given
    const gone = new AbortController()
    void child.exited.then(() => gone.abort())
    const admin = new EnvoyAdminClient(adminPort, clock)
    try {
      if (drainSeconds > 0) {
        const call = (method: 'GET' | 'POST', path: string): Promise<string> => admin.call(method, path)
        await drain({ admin: call, clock, seconds: drainSeconds, quietSeconds, gone: gone.signal })
      }
    } catch (error) {
      if (!gone.signal.aborted) log.warn({ error: errorText(error) }, 'Envoy could not be drained and is stopped at once')
    }
    child.kill('SIGTERM')
    await clock.sleep(termMs, gone.signal)
    if (!gone.signal.aborted) {
      log.warn({ pid: child.pid }, `Envoy did not end within ${termMs} ms and is killed`)
      child.kill('SIGKILL')
    }
  }

  async #keepRunning(first: EnvoyChild, folder: string): Promise<void> {
    const { clock, random, log } = this.#given
    let child: EnvoyChild | undefined = first
    for (;;) {
      if (child !== undefined) await this.#untilEnd(child)
      if (this.#isStopping()) return
      const delay = this.#backOff.next(random())
      log.error({ lastExit: this.#lastExit, delayMs: Math.round(delay) }, 'Envoy does not run; it is started again after a delay')
      await clock.sleep(delay, this.#stopping.signal)
      if (this.#isStopping()) return
      child = await this.#restart(folder)
    }
  }

  async #untilEnd(child: EnvoyChild): Promise<void> {
    const { clock } = this.#given
    const startedAt = clock.now()
    // It came up while `stop` was called, which did not see it yet.
    if (this.#isStopping() && this.#child !== child) child.kill('SIGKILL')
    this.#lastExit = await child.exited
    this.#child = undefined
    if (clock.now() - startedAt >= settledMs) this.#backOff.reset()
  }

  async #restart(folder: string): Promise<EnvoyChild | undefined> {
    this.#restarts++
    try {
      return await this.#startChild(folder)
    } catch (error) {
      this.#lastExit = errorText(error)
      return undefined
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  async #startChild(folder: string): Promise<EnvoyChild> {
    const { path, drainSeconds, log, logLevel = 'warning' } = this.#given
    const args = [
      ...['-c', this.#file(folder), '--disable-hot-restart', '--drain-time-s', String(Math.max(1, drainSeconds))],
      ...['--log-level', logLevel, '--log-format', logFormat, '--log-format-escaped'],
    ]
    const child = await startChild(path, args, line => {
      const { level, component, text } = parseLogLine(line)
      // That it was told to end is a warning to Envoy, which does not know who told it.
      log[level === 'warn' && this.#isStopping() ? 'info' : level]({ component }, text)
    })
    if (!this.#isStopping()) this.#child = child
    log.info({ pid: child.pid, path }, 'Envoy runs')
    return child
  }

  #file(folder: string): string {
    return join(folder, 'bootstrap.json')
  }

  async #removeFolder(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
    this.#folder = undefined
  }
}
