import { isUtf8 } from 'node:buffer'
import type { SourceGiven } from '../../src/discovery/contract.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { parsePlainItem } from './plain-yaml.ts'
import { checkServiceEntry, type EntryFault } from './schema.ts'
import { translateService } from './translate.ts'
import { parseYaml, type YamlText } from './yaml-text.ts'

type Path = readonly (string | number)[]
type Given = Pick<SourceGiven, 'namespace' | 'admitAddress'>

/** A service as read from the file. */
export interface ReadService {
  readonly group: EndpointGroup
  readonly refusals: readonly EntryFault[]
  /** Line of a part of the item: from the item's first line when it was read alone, else from the file's. */
  lineOf(path: Path): number
}

/** Where an item stands, for messages. `line` is called only when something is wrong. */
export interface ItemPlace {
  readonly file: string
  readonly index: number
  readonly line: () => number
}

/** Files up to this size are read whole when an item of them cannot be understood alone, e.g. for an alias to another item's anchor. */
const wholeLimit = 1024 * 1024

/**
 * Reads one item of a file in plain block form. Undefined when the item alone is malformed but the whole file may be good; throws
 * `endpoints-invalid` otherwise.
 * @param former the group it probably was before
 */
export function readItem(bytes: Buffer, place: ItemPlace, given: Given, fileSize: number, former?: EndpointGroup): ReadService | undefined {
  const text = decode(bytes, place.file)
  const plain = parsePlainItem(text)
  let value: unknown = plain
  let parsed: YamlText | undefined
  if (plain === undefined) {
    const found = parseYaml(text)
    if ('fault' in found) {
      if (fileSize <= wholeLimit) return undefined
      throw invalid(`${place.file}:${place.line() + found.fault.line - 1}: ${found.fault.text}`)
    }
    const items = found.value
    if (!Array.isArray(items) || items.length !== 1) return undefined
    parsed = found
    value = items[0] as unknown
  }
  const lineOf = (path: Path): number => {
    parsed ??= yamlOf(text)
    return parsed?.lineOf([0, ...path]) ?? 1
  }
  const checked = checkServiceEntry(value)
  if ('fault' in checked) throw entryFault(place.file, place.index, place.line() + lineOf(checked.fault.path) - 1, checked.fault)
  const { group, refusals } = translateService(checked.entry, given, former)
  // The text is kept only where it is needed to find lines again.
  const lineFinder = refusals.length === 0 ? noLines : lineOf
  return { group, refusals, lineOf: lineFinder }
}

/** Reads a file of any form with the whole parser. Throws `endpoints-invalid` when it is malformed. */
export function readWhole(bytes: Buffer, file: string, given: Given): ReadService[] {
  const parsed = parseYaml(decode(bytes, file))
  if ('fault' in parsed) throw invalid(`${file}:${parsed.fault.line}: ${parsed.fault.text}`)
  const services = servicesOf(parsed, file)
  return services.map((value, index) => {
    const lineOf = (path: Path): number => parsed.lineOf(['services', index, ...path])
    const checked = checkServiceEntry(value)
    if ('fault' in checked) throw entryFault(file, index, lineOf(checked.fault.path), checked.fault)
    const { group, refusals } = translateService(checked.entry, given)
    return { group, refusals, lineOf }
  })
}

function servicesOf(yaml: YamlText, file: string): readonly unknown[] {
  const { value } = yaml
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${file}:1: the file must be a map with the one key services, e.g. "services: []"`)
  }
  for (const key of Object.keys(value)) {
    if (key !== 'services') throw invalid(`${file}:${yaml.lineOf([key])}: ${key} is no key of this format (known: services)`)
  }
  const { services } = value as { services?: unknown }
  if (!Array.isArray(services)) {
    throw invalid(`${file}:${yaml.lineOf(['services'])}: services must be a list; for none at all write "services: []"`)
  }
  return services
}

function entryFault(file: string, index: number, line: number, { path, text }: EntryFault): IsthmusError {
  const parts = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('')
  return invalid(`${file}:${line}: services[${index}]${parts} ${text}`)
}

function invalid(message: string): IsthmusError {
  return new IsthmusError('endpoints-invalid', message)
}

function decode(bytes: Buffer, file: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  throw invalid(`${file}: the file is no UTF-8 text`)
}

function yamlOf(text: string): YamlText | undefined {
  const parsed = parseYaml(text)
  return 'fault' in parsed ? undefined : parsed
}

function noLines(): number {
  return 1
}
