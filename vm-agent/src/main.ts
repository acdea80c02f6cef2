#!/usr/bin/env node
import { makeLog } from './log.ts'
import { type AgentOptions, parseOptions, usage, UsageError } from './options.ts'
import { runAgent } from './run-agent.ts'
import { realTime } from './time.ts'

/** Reads the command line; ends the process for `--help` and mistakes. */
function optionsOrExit(): AgentOptions {
  try {
    const options = parseOptions(process.argv.slice(2))
    if (options !== 'help') return options
    process.stdout.write(usage)
    process.exit(0)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`isthmus-agent: ${error.message}\nTry "isthmus-agent --help".\n`)
    process.exit(2)
  }
}

const options = optionsOrExit()
const log = makeLog(
  options.logFormat,
  line => process.stderr.write(line),
  () => Date.now(),
)
const leave = new AbortController()
const now = new AbortController()
const onSignal = (signal: NodeJS.Signals): void => {
  if (leave.signal.aborted) {
    log('warn', 'second signal, leaving at once', { signal })
    process.exit(1)
  }
  leave.abort()
}
process.on('SIGTERM', onSignal)
process.on('SIGINT', onSignal)
await runAgent(options, { time: realTime, log }, leave.signal, now.signal)
process.exit(0)
