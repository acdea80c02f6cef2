import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { findOnPath } from './cache.ts'

/** How a program ended: its exit code, or the signal that ended it. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running program of a test. */
export interface Child {
  readonly pid: number
  /** Settles when the program ends, however it ends. */
  readonly exited: Promise<Exit>
  /** The end of what it printed, both streams, at most 256 KiB. */
  output(): string
  /** Sends a signal: SIGHUP to reload, SIGSTOP and SIGCONT to freeze and thaw. Does nothing if it has ended. */
  signal(name: NodeJS.Signals): void
  /**
   * Waits until `probe` gives something other than undefined or false, which it gives back. A probe that throws is asked again.
   * Throws with the end of the output when the program ends first or the time is up.
   */
  until<T>(what: string, probe: () => Probed<T>, timeoutMs?: number): Promise<T>
  /** Waits until the pattern appears in the output. Throws as `until` does. */
  untilPrinted(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  /** SIGTERM, and SIGKILL if it has not ended after `graceMs`. */
  stop(graceMs?: number): Promise<Exit>
  /** SIGKILL, at once. */
  kill(): Promise<Exit>
}

/** What a probe gives: undefined or false for "not yet". */
export type Probed<T> = T | undefined | false | Promise<T | undefined | false>

export interface StartOptions {
  readonly cwd?: string
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
}

const outputLimit = 256 * 1024
const shownOutput = 4000
const living = new Set<ChildProcess>()
process.on('exit', () => living.forEach(child => child.kill('SIGKILL')))

/**
 * Starts a program that ends with this process at the latest: on Linux even when this process is killed, elsewhere when it exits.
 * Throws if the program cannot be started.
 */
export async function startProcess(program: string, args: readonly string[], options: StartOptions = {}): Promise<Child> {
  const path = program.includes('/') ? program : await findOnPath(program)
  if (path === undefined) throw new Error(`${program} is not on PATH`)
  await access(path, constants.X_OK)
  const setpriv = process.platform === 'linux' ? await findOnPath('setpriv') : undefined
  const [file, list] = setpriv === undefined ? [path, args] : [setpriv, ['--pdeathsig', 'KILL', '--', path, ...args]]
  const env = { ...process.env, ...options.env }
  const child = spawn(file, [...list], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  living.add(child)
  const exited = new Promise<Exit>(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
  void exited.then(() => living.delete(child))
  void exited.then(() => releaseOutput(child))
  const output = collectOutput(child)
  await once(child, 'spawn')
  return new RunningChild(child, exited, output, [program, ...args].join(' '))
}

class RunningChild implements Child {
  readonly pid: number
  readonly exited: Promise<Exit>
  readonly output: () => string
  readonly #child: ChildProcess
  readonly #label: string

  constructor(child: ChildProcess, exited: Promise<Exit>, output: () => string, label: string) {
    this.pid = child.pid ?? 0
    this.exited = exited
    this.output = output
    this.#child = child
    this.#label = label
  }

  signal(name: NodeJS.Signals): void {
    if (this.#running()) this.#child.kill(name)
  }

  async until<T>(what: string, probe: () => Probed<T>, timeoutMs = 20_000): Promise<T> {
    try {
      return await eventually(what, probe, timeoutMs, () => !this.#running())
    } catch (error) {
      await sleep(50) // the last output may arrive after the exit
      const ended = this.#running() ? '' : ` (it ended with ${this.#child.exitCode ?? this.#child.signalCode ?? 'nothing'})`
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`${reason}: ${this.#label}${ended}\n${this.output().slice(-shownOutput)}`, { cause: error })
    }
  }

  untilPrinted(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    return this.until(`no output matched ${String(pattern)}`, () => pattern.exec(this.output()) ?? undefined, timeoutMs)
  }

  async stop(graceMs = 5000): Promise<Exit> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exited
  }

  #running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }
}

/**
 * Asks `probe` until it gives something other than undefined or false, which it gives back.
 * Throws when the time is up or `hopeless` says so, with `what` and the probe's last error.
 */
export async function eventually<T>(what: string, probe: () => Probed<T>, timeoutMs = 20_000, hopeless = () => false): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const value = await probe()
      if (value !== undefined && value !== false) return value
    } catch (error) {
      last = error
    }
    if (hopeless()) throw new Error(what, { cause: last })
    if (performance.now() > deadline)
      throw new Error(`${what}, after ${timeoutMs} ms${last instanceof Error ? ` (${last.message})` : ''}`, { cause: last })
    await sleep(25)
  }
}

/** Runs a program to its end and gives its exit and its two outputs. It is killed after `timeoutMs`. Throws if it cannot be started. */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options: StartOptions & { readonly timeoutMs?: number } = {},
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const { cwd, env, timeoutMs = 30_000 } = options
  const child = spawn(program, [...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
  })
  living.add(child)
  child.once('exit', () => releaseOutput(child))
  const printed = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text))
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return { code, signal, ...printed }
  } finally {
    living.delete(child)
  }
}

function collectOutput(child: ChildProcess): () => string {
  let kept = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      kept = (kept + text).slice(-outputLimit)
    })
  }
  return () => kept
}

/** Descendants that outlive a program keep its pipes open; they must not keep this process waiting. */
function releaseOutput(child: ChildProcess): void {
  setTimeout(() => {
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, 500).unref()
}
