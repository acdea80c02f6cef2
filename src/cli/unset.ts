import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { addViewOptions, type ViewOptions } from './output.ts'
import { userName } from './override.ts'

/** `isthmus unset ID`. */
export const register: Register = (program, { io }) => {
  const command = program
    .command('unset')
    .argument('<id>', 'of the override, as isthmus overrides shows it')
    .description('Take an override back.')
  addViewOptions(command).action(async (id: string, options: ViewOptions) => {
    await new AdminClient(options, io).delete(`/overrides/${encodeURIComponent(id)}`, { actor: userName() })
    io.out.write(options.output === 'name' ? `${id}\n` : `${id} is taken back\n`)
  })
}
