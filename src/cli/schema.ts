import type { Register } from './command.ts'
import { CliError } from './io.ts'
import { dataText } from './output.ts'

/** `isthmus schema [settings|KIND]`. */
export const register: Register = (program, { io }) => {
  program
    .command('schema')
    .argument('[what]', 'settings, or a kind such as Mapping; left out: prints what there is')
    .description('JSON Schema for editors: "# yaml-language-server: $schema=FILE" as first line of a file uses it.')
    .action(async (what: string | undefined) => {
      const { kindSchema, schemaKinds } = await import('../manifests/kinds.ts')
      if (what === undefined) {
        io.out.write(['settings', ...schemaKinds].map(name => `${name}\n`).join(''))
        return
      }
      const schema = what === 'settings' ? await settings() : kindSchema(what)
      if (schema === undefined) throw new CliError(2, await unknown(what, schemaKinds))
      io.out.write(await dataText(schema, 'json'))
    })
}

async function settings(): Promise<object> {
  const [{ settingsJsonSchema }, { builtinPlugins }] = await Promise.all([
    import('../settings/json-schema.ts'),
    import('../builtin-plugins.ts'),
  ])
  return settingsJsonSchema(builtinPlugins)
}

async function unknown(what: string, kinds: readonly string[]): Promise<string> {
  const { didYouMean } = await import('../model/nearest.ts')
  const names = ['settings', ...kinds]
  const hint = didYouMean(what, names)
  return `there is no schema of "${what}"; ${hint === '' ? `there are: ${names.join(', ')}` : hint}`
}
