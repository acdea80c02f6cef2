import { settingsSchema } from './schema.ts'

/** One key of the settings that a flag or environment variable can set. */
export interface SettingsKey {
  /** `['xds', 'listen']`. */
  readonly path: readonly string[]
  /** `xds.listen`. */
  readonly name: string
  /** `ISTHMUS_XDS_LISTEN`. */
  readonly env: string
  /** `--xds-listen`. */
  readonly flag: string
  /** How its text is read: `list` is comma-separated, `yaml` is YAML or JSON. */
  readonly kind: 'text' | 'number' | 'list' | 'yaml'
  readonly description: string
}

interface Node {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

/** Every key, in the order of the schema. */
export const settingsKeys: readonly SettingsKey[] = Object.freeze([...leaves(settingsSchema as Node, [])])

function* leaves(node: Node, path: readonly string[]): Iterable<SettingsKey> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const here = [...path, key]
    if (child.properties !== undefined) {
      yield* leaves(child, here)
      continue
    }
    const words = here.map(part => part.replace(/[A-Z]/g, capital => `_${capital}`))
    yield {
      path: here,
      name: here.join('.'),
      env: `ISTHMUS_${words.join('_').toUpperCase()}`,
      flag: `--${words.join('-').replaceAll('_', '-').toLowerCase()}`,
      kind: kindOf(child),
      description: child.description ?? '',
    }
  }
}

function kindOf(node: Node): SettingsKey['kind'] {
  if (node.anyOf !== undefined) return 'list'
  if (node.type === 'array') return node.items?.properties === undefined ? 'list' : 'yaml'
  return node.type === 'number' || node.type === 'integer' ? 'number' : 'text'
}
