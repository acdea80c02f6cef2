/** Writes one line. */
export type Log = (level: 'info' | 'warn' | 'error', message: string, data?: Readonly<Record<string, unknown>>) => void

/**
 * Lines for people (`text`) or machines (`json`).
 * @param write takes one line with its end
 */
export function makeLog(format: 'text' | 'json', write: (line: string) => void, wall: () => number): Log {
  return (level, message, data = {}) => {
    const time = new Date(wall()).toISOString()
    if (format === 'json') {
      write(`${JSON.stringify({ time, level, message, ...data })}\n`)
      return
    }
    const details = Object.entries(data).map(
      ([key, value]) => ` ${key}=${typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)}`,
    )
    write(`${time} ${level.toUpperCase().padEnd(5)} ${message}${details.join('')}\n`)
  }
}
