import type { Command } from 'commander'
import { Option } from 'commander'
import { type ClientOptions, defaultAdmin } from './client.ts'
import type { Io } from './io.ts'
import { type Column, tableText } from './table.ts'

export const formats = ['table', 'wide', 'json', 'yaml', 'name'] as const
export type Format = (typeof formats)[number]

/** Options of every command that shows something of the running gateway. */
export interface ViewOptions extends ClientOptions {
  readonly output: Format
}

/** Adds `-o`, `--admin` and `--token-file`. */
export function addViewOptions(command: Command): Command {
  return command
    .addOption(formatOption())
    .option('--admin <url>', `admin address of the gateway (default: ISTHMUS_ADMIN, else ${defaultAdmin})`)
    .option('--token-file <file>', 'file with a bearer token (default: ISTHMUS_TOKEN_FILE)')
}

/** `-o table|wide|json|yaml|name`. */
export function formatOption(): Option {
  return new Option('-o, --output <format>', 'how to print').choices(formats).default('table')
}

/** How one kind of thing is printed. */
export interface View<Item> {
  readonly columns: readonly Column<Item>[]
  /** For `-o name`: one word that other commands take. */
  readonly name: (item: Item) => string
  /** Instead of an empty table. */
  readonly none: string
}

/**
 * The text of a list in a format. JSON and YAML are what the API gave, in full.
 * @param body the API's whole answer
 */
export async function listText<Item>(
  items: readonly Item[],
  body: unknown,
  view: View<Item>,
  format: Format,
  io: Pick<Io, 'out' | 'env'>,
): Promise<string> {
  if (format === 'json' || format === 'yaml') return dataText(body, format)
  if (format === 'name') return items.map(item => `${view.name(item)}\n`).join('')
  if (items.length === 0) return `${view.none}\n`
  return tableText(items, view.columns, format === 'wide', io)
}

/** JSON or YAML. */
export async function dataText(data: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(data, undefined, 2)}\n`
  const { stringify } = await import('yaml')
  // The same content twice is written twice: anchors are for machines.
  return stringify(data, { aliasDuplicateObjects: false, lineWidth: 0 })
}
