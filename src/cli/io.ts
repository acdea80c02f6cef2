/** What a command may touch of its process, so that tests give their own. */
export interface Io {
  readonly out: Output
  readonly err: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Aborts when the user interrupts a command that would go on (`--watch`). */
  readonly interrupted: AbortSignal
}

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** interface.md: 0 ok, 1 finding or refusal, 2 usage, 3 unreachable. */
export type ExitCode = 0 | 1 | 2 | 3

/** Ends a command with a message on standard error. */
export class CliError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

/** The process's own; the first SIGINT or SIGTERM interrupts. */
export function processIo(): Io {
  const interrupted = new AbortController()
  const { stdout, stderr, env } = process
  // A reader that has enough (`| head`) is no error.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return {
    out: stdout,
    err: stderr,
    env,
    cwd: process.cwd(),
    get interrupted() {
      // Only commands that ask listen: the others end at once, as the system does it.
      process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort())
      return interrupted.signal
    },
  }
}
