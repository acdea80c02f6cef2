import type { ConflictBody } from '../admin/schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'

const view: View<ConflictBody> = {
  columns: [
    { head: 'SEVERITY', value: one => one.severity },
    { head: 'KIND', value: one => one.kind },
    { head: 'SERVICES', value: one => one.services.join(', ') },
    { head: 'ENDPOINTS', value: one => one.count },
    { head: 'FOR EXAMPLE', value: exampleOf },
    { head: 'WHAT', value: one => one.text, wide: true },
    { head: 'FIX', value: one => one.fix, wide: true },
  ],
  name: one => one.id,
  none: 'no conflicts: the registries agree',
}

interface Options extends ViewOptions {
  readonly watch?: true
  readonly service?: string
  readonly kind?: string
  readonly severity?: string
}

/** `isthmus conflicts`. */
export const register: Register = (program, context) => {
  const command = program
    .command('conflicts')
    .description('What the registries do not agree on; -o wide says what would end it.')
    .option('--service <key>', 'only those of namespace/name')
    .option('--kind <kind>', 'only those of a kind')
    .option('--severity <severity>', 'warning or info')
  addListOptions(command).action(({ service, kind, severity, ...options }: Options) =>
    showList<ConflictBody>(context, options, '/conflicts', { service, kind, severity }, view, ({ items }) =>
      items.length === 0 || options.output === 'wide'
        ? ''
        : [...new Map(items.map(one => [one.kind, `${one.kind}: ${one.fix}\n`])).values()].join(''),
    ),
  )
}

/** What the sides say of the first address. */
function exampleOf({ members }: ConflictBody): string {
  const [first] = members
  if (first === undefined) return ''
  const sides = members.filter(one => one.address === first.address).map(one => `${one.source}: ${one.says}`)
  return `${first.address.includes(':') ? `[${first.address}]` : first.address}:${String(first.port)} ${[...new Set(sides)].join('; ')}`
}
