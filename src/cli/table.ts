import Table from 'cli-table3'
import colors from 'picocolors'
import type { Io } from './io.ts'

/** One column; `wide` ones show with `-o wide` only. */
export interface Column<Item> {
  readonly head: string
  readonly value: (item: Item) => string | number
  readonly wide?: true
}

const bare = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left',
  'left-mid',
  'mid',
  'mid-mid',
  'right',
  'right-mid',
  'middle',
] as const
const noLines = Object.fromEntries(bare.map(part => [part, '']))

/** Whether to colour: on a terminal, unless NO_COLOR is set (no-color.org). */
export function hasColors({ out, env }: Pick<Io, 'out' | 'env'>): boolean {
  return out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

/** Rows under heads, two blanks between columns, nothing at the ends of lines. An empty cell is `-`. */
export function tableText<Item>(
  items: readonly Item[],
  columns: readonly Column<Item>[],
  wide: boolean,
  io: Pick<Io, 'out' | 'env'>,
): string {
  const shown = columns.filter(column => wide || column.wide !== true)
  const table = new Table({
    head: shown.map(column => column.head),
    chars: noLines,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
  })
  const paint = painter(hasColors(io))
  for (const item of items) {
    table.push(
      shown.map(column => {
        const text = oneLine(String(column.value(item)))
        return text === '' ? '-' : paint(text)
      }),
    )
  }
  return table
    .toString()
    .split('\n')
    .map(line => `${line.trimEnd()}\n`)
    .join('')
}

const good = new Set(['live', 'healthy', 'synced', 'accepted', 'up', 'ready', 'yes', 'served'])
const bad = new Set([
  'stale',
  'expired',
  'unhealthy',
  'rejected',
  'refused',
  'disconnected',
  'absent',
  'withheld',
  'unrouted',
  'not ready',
  'no',
])
const middling = new Set(['syncing', 'lagging', 'disabled', 'degraded', 'draining', 'unknown', 'pending', 'waiting', 'suspect', 'ignored'])

/** Colours the words of states, and leaves everything else alone. */
export function painter(enabled: boolean): (text: string) => string {
  const { green, red, yellow } = colors.createColors(enabled)
  return text => (good.has(text) ? green(text) : bad.has(text) ? red(text) : middling.has(text) ? yellow(text) : text)
}

/** Text from elsewhere must not steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
}
