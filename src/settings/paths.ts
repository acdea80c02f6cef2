import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

/** The absolute form of a path in settings; `~/` is the home folder. */
export function absolutePath(path: string, folder: string): string {
  if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1))
  return isAbsolute(path) ? path : resolve(folder, path)
}

interface Node {
  readonly type?: string
  readonly format?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly anyOf?: readonly Node[]
}

/** A copy of a checked value in which every string whose schema has the format `path` is absolute. */
export function withAbsolutePaths(value: unknown, schema: object, folder: string): unknown {
  const node = schema as Node
  if (typeof value === 'string') return node.format === 'path' && value !== ':memory:' ? absolutePath(value, folder) : value
  if (Array.isArray(value)) {
    const { items } = node
    return items === undefined ? value : value.map(item => withAbsolutePaths(item, items, folder))
  }
  if (typeof value !== 'object' || value === null) return value
  if (node.anyOf !== undefined) return node.anyOf.reduce<unknown>((changed, branch) => withAbsolutePaths(changed, branch, folder), value)
  const { properties = {} } = node
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      properties[key] === undefined ? item : withAbsolutePaths(item, properties[key], folder),
    ]),
  )
}
