import type { SourceBody } from '../admin/schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'
import { ageText, cut } from './words.ts'

const view: View<SourceBody> = {
  columns: [
    { head: 'NAME', value: source => source.name },
    { head: 'TYPE', value: source => source.type },
    { head: 'STATE', value: source => source.state },
    { head: 'AGE', value: source => ageText(source.ageSeconds) },
    { head: 'SERVICES', value: source => source.services },
    { head: 'ENDPOINTS', value: source => source.endpoints },
    { head: 'HELD', value: source => source.held, wide: true },
    { head: 'RESTARTS', value: source => source.restarts, wide: true },
    { head: 'ERROR', value: source => (source.error === null ? '' : cut(source.error.text, 80)) },
  ],
  name: source => source.name,
  none: 'no sources: add some under "sources" in isthmus.yaml',
}

/** `isthmus sources`. */
export const register: Register = (program, context) => {
  addListOptions(program.command('sources').description('Sources of endpoints, and how well each is read.')).action(
    (options: ViewOptions & { watch?: true }) =>
      showList<SourceBody>(context, options, '/sources', {}, view, ({ items }) =>
        items.flatMap(source => source.notices.map(notice => `${source.name}: ${notice}\n`)).join(''),
      ),
  )
}
