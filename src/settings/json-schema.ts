import type { SourceType } from '../discovery/contract.ts'
import { closeObjects, settingsSchema, sourceBase } from './schema.ts'

/**
 * JSON Schema of isthmus.yaml for editors (`isthmus schema settings`), with the keys of the sources that are built in.
 * @param plugins the sources' plugins
 */
export function settingsJsonSchema(plugins: readonly SourceType[]): Record<string, unknown> {
  const schema = JSON.parse(JSON.stringify(settingsSchema)) as { properties: { sources: { items: unknown } } }
  const { type: _type, ...base } = sourceBase
  const builtIn = plugins.map(plugin => {
    const own = closeObjects(plugin.schema) as { properties?: object; required?: readonly string[] }
    return {
      ...own,
      type: 'object',
      title: `a source of type ${plugin.type}`,
      properties: { ...base, type: { const: plugin.type }, ...own.properties },
      required: ['name', 'type', ...(own.required ?? [])],
    }
  })
  const thirdParty = {
    type: 'object',
    title: 'a source of your own',
    properties: { ...base, type: { type: 'string', pattern: '^[./]' } },
    required: ['name', 'type'],
  }
  schema.properties.sources.items = { anyOf: [...builtIn, thirdParty] }
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }
}
