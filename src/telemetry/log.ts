import pino, { type Logger } from 'pino'

export type { Logger }

/** Keys that never reach a log line, at the top of the data and one level down. */
const secretKeys = ['token', 'authorization', 'password', 'secret', 'cookie', 'x-consul-token']
const redacted = secretKeys.flatMap(key => (key.includes('-') ? [`["${key}"]`, `*["${key}"]`] : [key, `*.${key}`]))

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** The gateway's id, on every line. */
  readonly id?: string
  /** Where lines go; standard output if left out. */
  readonly destination?: { write(line: string): void }
}

/**
 * The log: one JSON line per event on standard output, times in ISO form, secrets replaced. It is a `SourceLog`; `log.level` may be set
 * while it runs.
 */
export function createLog({ level, id, destination }: LogOptions): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: id === undefined ? null : { gateway: id },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    redact: { paths: redacted, censor: '(redacted)' },
    serializers: { error: (error: unknown) => (error instanceof Error ? pino.stdSerializers.err(error) : error) },
  }
  // Written at once: a line about a crash must not be lost in a buffer.
  return pino(options, destination ?? pino.destination({ fd: 1, sync: true }))
}
