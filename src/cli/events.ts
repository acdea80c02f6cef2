import { setTimeout as sleep } from 'node:timers/promises'
import type { EntryBody } from '../admin/ledger-schemas.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { entriesView } from './history.ts'
import { CliError } from './io.ts'
import { addViewOptions, listText, type ViewOptions } from './output.ts'
import { oneLine } from './table.ts'

interface Options extends ViewOptions {
  readonly since?: string
  readonly service?: string
  readonly follow?: true
}

const retryMs = 2000

/** `isthmus events [--since 1h] [--follow]`. */
export const register: Register = (program, { io }) => {
  const command = program
    .command('events')
    .description('What happened to endpoints of all services, and what users did.')
    .option('--since <time>', 'ISO 8601, or how long ago: 90s, 15m, 1h, 2d (1h)')
    .option('--service <key>', 'only of namespace/name')
    .option('-f, --follow', 'go on as it happens; -o json prints one object a line')
  addViewOptions(command).action(async ({ since = '1h', service, follow, ...options }: Options) => {
    const client = new AdminClient(options, io)
    const { body } = await client.list<EntryBody>('/events', { since, service })
    if (follow !== true) {
      io.out.write(await listText(body.items, body, entriesView, options.output, io))
      return
    }
    const signal = io.interrupted
    let last = body.items.at(-1)?.id
    const print = (entry: EntryBody): void => {
      last = entry.id
      io.out.write(`${lineOf(entry, options.output)}\n`)
    }
    for (const entry of body.items) print(entry)
    const isOver = (): boolean => signal.aborted
    while (!isOver()) {
      try {
        for await (const { event, data } of client.stream('/events/stream', { service }, last, signal)) {
          if (event === 'gap') io.err.write('isthmus: entries between are not kept any more\n')
          else print(data as EntryBody)
        }
      } catch (error) {
        if (isOver()) return
        if (!(error instanceof CliError) || error.exitCode !== 3) throw error
        io.err.write(`isthmus: ${error.message}; trying again\n`)
      }
      // An interrupt ends the sleep by throwing; the loop then ends.
      await sleep(retryMs, undefined, { signal }).catch(() => undefined)
    }
  })
}

function lineOf(entry: EntryBody, format: ViewOptions['output']): string {
  if (format === 'json' || format === 'yaml') return JSON.stringify(entry)
  if (format === 'name') return String(entry.id)
  return entriesView.columns
    .filter(column => format === 'wide' || column.wide !== true)
    .map(column => oneLine(String(column.value(entry))) || '-')
    .join('  ')
}
