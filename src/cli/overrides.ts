import type { OverrideBody } from '../admin/override-schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'

const view: View<OverrideBody> = {
  columns: [
    { head: 'ID', value: one => one.id },
    { head: 'ACTION', value: one => (one.value === undefined ? one.action : `${one.action} ${String(one.value)}`) },
    { head: 'SERVICE', value: one => one.service },
    { head: 'ADDRESS', value: one => one.address },
    { head: 'STATE', value: one => one.state },
    { head: 'ACTOR', value: one => one.actor },
    { head: 'SET', value: one => one.setAt ?? '', wide: true },
    { head: 'UNTIL', value: one => one.expiresAt ?? 'unset' },
    { head: 'KEPT', value: one => (one.kept ? 'yes' : 'no'), wide: true },
    { head: 'REASON', value: one => one.reason },
  ],
  name: one => one.id,
  none: 'no overrides',
}

/** `isthmus overrides`. */
export const register: Register = (program, context) => {
  addListOptions(program.command('overrides').description('What operators decided about endpoints, above all sources.')).action(
    (options: ViewOptions & { watch?: true }) => showList<OverrideBody>(context, options, '/overrides', {}, view),
  )
}
