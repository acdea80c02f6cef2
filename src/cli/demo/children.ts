import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { IsthmusError } from '../../model/errors.ts'

/** The programs of a demo: they end with it, and their last words are kept for when one of them fails. */
export class Children {
  readonly #running = new Map<string, { child: ChildProcess; words: () => string }>()

  /** Starts a program; its output is kept, not shown. Throws `tool-missing` if it cannot be started. */
  async start(name: string, program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = spawn(program, [...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    const keep = (data: Buffer): void => {
      text = (text + data.toString()).slice(-4000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    try {
      await once(child, 'spawn')
    } catch (cause) {
      throw new IsthmusError('tool-missing', `demo: ${name} cannot be started (${program})`, { cause })
    }
    this.#running.set(name, { child, words: () => text })
    child.once('exit', () => this.#running.delete(name))
  }

  /** The process id of a running program. */
  pid(name: string): number | undefined {
    return this.#running.get(name)?.child.pid
  }

  /** The end of what a running program printed. */
  words(name: string): string {
    return this.#running.get(name)?.words() ?? `${name} has ended`
  }

  /** Ends one program and waits for it. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#running.get(name)
    if (running === undefined) return
    const ended = once(running.child, 'exit')
    running.child.kill(signal)
    const force = setTimeout(() => running.child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(force)
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map(name => this.stop(name)))
  }

  /** For the last moment of the process: nothing can be waited for any more. */
  killAll(): void {
    for (const { child } of this.#running.values()) child.kill('SIGKILL')
  }
}
