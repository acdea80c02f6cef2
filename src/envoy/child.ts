import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { errorText, IsthmusError } from '../model/errors.ts'

/** A running Envoy process. */
export interface EnvoyChild {
  readonly pid: number
  /** How it ended, as text: `code 1`, `SIGSEGV`. Never rejects. */
  readonly exited: Promise<string>
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

/** Starts an Envoy; every line it prints goes to `onLine`. Throws `tool-missing` if the program cannot be run. */
export async function startChild(path: string, args: readonly string[], onLine: (line: string) => void): Promise<EnvoyChild> {
  // A process group of its own: Ctrl-C in a terminal reaches the gateway alone, which then drains Envoy.
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', onLine)
  const exited = new Promise<string>(resolve => {
    child.once('close', (code, signal) => resolve(signal ?? `code ${String(code)}`))
  })
  try {
    await once(child, 'spawn')
  } catch (cause) {
    const advice = 'install Envoy, or name its executable in envoy.path, or set envoy.mode to none'
    throw new IsthmusError('tool-missing', `Envoy cannot be started as "${path}" (${errorText(cause)}): ${advice}`, { cause })
  }
  child.on('error', () => undefined) // A signal that could not be sent: the process is gone, which `exited` tells.
  // A gateway that dies without stopping its Envoy must not leave one behind that holds the ports.
  const killed = () => child.kill('SIGKILL')
  process.once('exit', killed)
  void exited.then(() => process.off('exit', killed))
  return { pid: child.pid ?? 0, exited, kill: signal => void child.kill(signal) }
}
