import type { Command } from 'commander'
import { AdminClient, type ListBody, type Query } from './client.ts'
import type { CommandContext } from './command.ts'
import { addViewOptions, listText, type View, type ViewOptions } from './output.ts'
import { show } from './watch.ts'

interface ListOptions extends ViewOptions {
  readonly watch?: true
}

/** Adds the options of a table, `--watch` among them. */
export function addListOptions(command: Command): Command {
  return addViewOptions(command).option('-w, --watch', 'print it again whenever it changes')
}

/**
 * Prints a list of the API.
 * @param footer lines under the table, for people only
 */
export async function showList<Item>(
  { io }: CommandContext,
  options: ListOptions,
  path: string,
  query: Query,
  view: View<Item>,
  footer: (body: ListBody<Item>) => string = () => '',
): Promise<void> {
  const client = new AdminClient(options, io)
  await show(io, options.watch === true, async (blocking, waitMs, signal) => {
    const { body, index } = await client.list<Item>(path, { ...query, ...blocking }, waitMs, signal)
    const text = await listText(body.items, body, view, options.output, io)
    const people = options.output === 'table' || options.output === 'wide'
    return { body: people ? text + footer(body) : text, index }
  })
}
