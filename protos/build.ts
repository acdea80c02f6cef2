/**
 * Builds protos/descriptors.json, the messages we speak, from the .proto files that @grpc/grpc-js-xds ships (594 files: Envoy's whole API).
 * Only what `roots` can reach is kept. `--check` exits 1 when the committed file is not what this would write.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'
import { loadProtos } from './load.ts'
import { roots } from './roots.ts'

const output = fileURLToPath(new URL('descriptors.json', import.meta.url))

/** Full names of the messages and enums that the roots reach, without leading dot. */
function closure(root: protobuf.Root): Set<string> {
  const reached = new Set<string>()
  const open: protobuf.ReflectionObject[] = roots.flatMap(one => one.messages.map(name => root.lookupTypeOrEnum(name)))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const name = next.fullName.slice(1)
    if (reached.has(name)) continue
    reached.add(name)
    if (!(next instanceof protobuf.Type)) continue
    for (const field of next.fieldsArray) {
      field.resolve()
      if (field.resolvedType !== null) open.push(field.resolvedType)
    }
  }
  return reached
}

interface Json {
  nested?: Record<string, Json>
  options?: unknown
  oneofs?: unknown
  fields?: Record<string, { options?: unknown }>
  values?: unknown
  methods?: unknown
  [key: string]: unknown
}

/** A copy with only what is reached: no services, options or comments, which nothing at run time reads. */
function prune(json: Json, path: string, reached: ReadonlySet<string>): Json | undefined {
  const nested: Record<string, Json> = {}
  for (const [name, child] of Object.entries(json.nested ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const kept = prune(child, path === '' ? name : `${path}.${name}`, reached)
    if (kept !== undefined) nested[name] = kept
  }
  const hasNested = Object.keys(nested).length > 0
  const own = reached.has(path)
  if (!own && !hasNested) return undefined
  const kept: Json = {}
  if (own && json.values !== undefined) kept.values = json.values
  else if (own) {
    kept.fields = Object.fromEntries(Object.entries(json.fields ?? {}).map(([name, field]) => [name, bare(field)]))
    if (json.oneofs !== undefined) kept.oneofs = json.oneofs
  } else if (json.fields !== undefined) kept.fields = {}
  if (hasNested) kept.nested = nested
  return kept
}

/** `packed` decides the wire form in proto2 terms; `proto3_optional` decides presence. Everything else is for other tools. */
function bare(field: { options?: unknown }): object {
  const { options, ...rest } = field
  if (typeof options !== 'object' || options === null) return rest
  const needed = Object.fromEntries(Object.entries(options).filter(([name]) => name === 'packed' || name === 'proto3_optional'))
  return Object.keys(needed).length > 0 ? { ...rest, options: needed } : rest
}

const root = loadProtos(roots.map(one => one.file))
const text = `${JSON.stringify(prune(root.toJSON() as Json, '', closure(root)))}\n`
if (process.argv.includes('--check')) {
  if (readFileSync(output, 'utf8') !== text) {
    process.stderr.write('protos/descriptors.json is not what protos/build.ts makes: run `npm run protos` and commit the result\n')
    process.exitCode = 1
  }
} else {
  writeFileSync(output, text)
  process.stdout.write(`${output}: ${String(text.length)} bytes\n`)
}
