import type { SourceBody } from '../admin/schemas.ts'
import type { Command } from 'commander'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'
import { oneLine } from './table.ts'
import { ageText, cut } from './words.ts'

const errorWidth = 80

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
    { head: 'ERROR', value: source => (source.error === null ? '' : cut(source.error.text, errorWidth)) },
  ],
  name: source => source.name,
  none: 'no sources: add some under "sources" in isthmus.yaml',
}

/** An error that the table cuts, in full: what to do about it stands at its end. */
function errorText({ name, error }: SourceBody): string {
  return error === null || error.text.length <= errorWidth ? '' : `${name}: ${oneLine(error.text)}\n`
}

/** What the guard holds, what will become of it, and how to end it. */
function holdsText({ name, holds }: SourceBody): string {
  const lines = holds.map(
    ({ service, rule, endpoints, confirmInSeconds, releaseInSeconds }) =>
      `${name}: ${endpoints} of ${service} kept by the ${rule} guard; read again in ${ageText(confirmInSeconds)}, released in ${ageText(releaseInSeconds)} at the latest\n`,
  )
  return holds.length === 0 ? '' : `${lines.join('')}${name}: if they are really gone: isthmus sources release-guard ${name}\n`
}

/** `isthmus sources`, and what can be done to one. */
export const register: Register = (program, context) => {
  const command = addListOptions(program.command('sources').description('Sources of endpoints, and how well each is read.')).action(
    (options: ViewOptions & { watch?: true }) =>
      showList<SourceBody>(context, options, '/sources', {}, view, ({ items }) =>
        items
          .map(source => errorText(source) + source.notices.map(notice => `${source.name}: ${notice}\n`).join('') + holdsText(source))
          .join(''),
      ),
  )
  const act = (name: string, description: string, done: (body: { readonly name: string; readonly released?: number }) => string): void => {
    command
      .command(`${name} <source>`)
      .description(description)
      .action(async (source: string, _options: unknown, self: Command) => {
        const client = new AdminClient(self.optsWithGlobals(), context.io)
        context.io.out.write(done(await client.post(`/sources/${encodeURIComponent(source)}/${name}`)))
      })
  }
  act('resync', 'Read a source anew.', ({ name }) => `${name} is read anew\n`)
  act(
    'release-guard',
    'Remove what its guard holds: the source is right.',
    ({ name, released = 0 }) => `${name}: ${released} endpoints released\n`,
  )
}
