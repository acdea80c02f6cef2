/** The argument of Envoy's `--log-format` that `parseLogLine` reads: level, component, message. */
export const logFormat = '[%l][%n] %v'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly component: string
  readonly text: string
}

const levels: Readonly<Record<string, LogLine['level']>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'error',
}

/** A line that Envoy printed. What is not in the format comes from outside its log, such as a complaint about its arguments: a warning. */
export function parseLogLine(line: string): LogLine {
  const [, name = '', component = '', text = ''] = /^\[(\w+)\]\[([^\]]*)\] (.*)$/.exec(line) ?? []
  const level = levels[name]
  return level === undefined ? { level: 'warn', component: '', text: line } : { level, component, text }
}
