import { writeFile } from 'node:fs/promises'
import { errorText } from '../model/errors.ts'
import { version } from '../version.ts'
import { AdminClient, type Query } from './client.ts'
import type { Register } from './command.ts'
import { CliError } from './io.ts'
import { addViewOptions, type ViewOptions } from './output.ts'

/** Everything that the API tells, by its path, with the query that makes it bounded. */
const parts: Readonly<Record<string, Query>> = {
  '/sources': {},
  '/services': {},
  '/endpoints': {},
  '/proxies': {},
  '/objects': {},
  '/routes': {},
  '/agents': {},
  '/conflicts': {},
  '/overrides': {},
  '/events': { since: '1h' },
}

interface Options extends ViewOptions {
  readonly file?: string
}

/** `isthmus support-dump [--file FILE]`. */
export const register: Register = (program, { io }) => {
  const command = program
    .command('support-dump')
    .description(
      'All that the gateway tells about itself, as one JSON document, to send to somebody. No secrets are in it; addresses and names are.',
    )
    .option('--file <file>', 'write it there (default: standard output)')
  addViewOptions(command).action(async (options: Options) => {
    const client = new AdminClient(options, io)
    const { body: status } = await client.get('/status')
    const dump: Record<string, unknown> = { madeBy: version, status }
    for (const [path, query] of Object.entries(parts)) dump[path.slice(1)] = await partOf(async () => (await client.list(path, query)).body)
    dump['metrics'] = await partOf(() => client.text('/../../metrics'))
    const text = `${JSON.stringify(dump, undefined, 2)}\n`
    if (options.file === undefined) {
      io.out.write(text)
      return
    }
    try {
      // Addresses of a network are nobody else's business on this machine.
      await writeFile(options.file, text, { mode: 0o600 })
    } catch (cause) {
      throw new CliError(2, `--file: ${options.file} cannot be written: ${errorText(cause)}`, { cause })
    }
  })
}

/** A part that cannot be had says why, and takes nothing else along. */
async function partOf(read: () => Promise<unknown>): Promise<unknown> {
  try {
    return await read()
  } catch (error) {
    return { error: errorText(error) }
  }
}
