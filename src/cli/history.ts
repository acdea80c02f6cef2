import type { DifferenceBody, EntryBody } from '../admin/ledger-schemas.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { addViewOptions, dataText, listText, type View, type ViewOptions } from './output.ts'
import { changeLines } from './seen.ts'
import { findService, servicePath } from './service-name.ts'
import { cut } from './words.ts'

/** Where a rule changed, its text tells what endpoints do not show. */
const what = (one: EntryBody) => {
  const lines = changeLines(one.before, one.after)
  return one.text === '' ? lines.join('; ') : [one.text, ...lines.filter(line => !line.endsWith(' details'))].join('; ')
}
const columns: View<EntryBody>['columns'] = [
  { head: 'TIME', value: one => one.at },
  { head: 'ID', value: one => one.id, wide: true },
  { head: 'REVISION', value: one => one.revision, wide: true },
  { head: 'CAUSE', value: one => one.cause },
  { head: 'SOURCES', value: one => one.sources.join(', ') },
  { head: 'ACTOR', value: one => one.actor ?? '' },
  { head: 'WHAT', value: one => cut(what(one), 120) },
]

/** The ledger as tables show it. */
export const entriesView: View<EntryBody> = {
  columns: [...columns.slice(0, 1), { head: 'SERVICE', value: one => one.service ?? '' }, ...columns.slice(1)],
  name: one => String(one.id),
  none: 'nothing happened',
}

interface Options extends ViewOptions {
  readonly since?: string
  readonly diff?: true
}

/** `isthmus history SERVICE [--since 1h] [--diff]`. */
export const register: Register = (program, { io }) => {
  const command = program
    .command('history')
    .argument('<service>', 'name, name.namespace or namespace/name')
    .description('What became of the endpoints of a service, oldest first, why, and by whom.')
    .option('--since <time>', 'ISO 8601, or how long ago: 90s, 15m, 1h, 2d')
    .option('--diff', 'only what differs between then and now')
  addViewOptions(command).action(async (service: string, options: Options) => {
    const client = new AdminClient(options, io)
    const path = servicePath(await findService(client, service))
    if (options.diff === true) {
      const { body } = await client.get<DifferenceBody>(`${path}/difference`, { from: options.since ?? '1h' })
      const lines = changeLines(body.before, body.after)
      const text = lines.length === 0 ? `nothing differs since ${body.from}\n` : lines.map(line => `${line}\n`).join('')
      io.out.write(options.output === 'json' || options.output === 'yaml' ? await dataText(body, options.output) : text)
      return
    }
    const { body } = await client.list<EntryBody>(`${path}/history`, { since: options.since })
    io.out.write(await listText(body.items, body, { ...entriesView, columns }, options.output, io))
  })
}
