import { isDeepStrictEqual } from 'node:util'
import type { SourceGiven } from '../../src/discovery/contract.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { splitServiceKey } from '../../src/model/service-key.ts'
import { commonPrefix, commonSuffix } from './common-ends.ts'
import { findItems, type Span, spansBetween } from './item-spans.ts'
import { readItem, readWhole, type ReadService } from './read-services.ts'

/** A service and where its item stands in the bytes. */
interface Item extends Span {
  readonly service: ReadService
}

/** The content in force. `indent` is undefined when the file is not in plain block form: items then have no places of their own. */
interface Content {
  readonly bytes: Buffer
  readonly indent: number | undefined
  readonly items: readonly Item[]
}

const nothing: Content = { bytes: Buffer.alloc(0), indent: undefined, items: [] }

/**
 * The last good content of an endpoints file. `update` compares new bytes with those in force and reads only the items between the first
 * and the last difference, so that a change costs the size of its service, and a comparison of memory, not the size of the file.
 */
export class EndpointsFile {
  readonly #file: string
  readonly #given: Pick<SourceGiven, 'namespace' | 'admitAddress'>
  #content = nothing
  #byKey = new Map<string, ReadService>()

  /** @param file how messages call the file */
  constructor(file: string, given: Pick<SourceGiven, 'namespace' | 'admitAddress'>) {
    this.#file = file
    this.#given = given
  }

  /** The bytes in force: the caller must not overwrite them until the next successful `update`. */
  get bytes(): Buffer {
    return this.#content.bytes
  }

  /** All services in force. */
  groups(): EndpointGroup[] {
    return this.#content.items.map(item => item.service.group)
  }

  /** Endpoints of the content in force that are not taken, each with its place, for people; empty when there are none. */
  refusals(): string[] {
    const found: string[] = []
    for (const [index, { service, start }] of this.#content.items.entries()) {
      if (service.refusals.length === 0) continue
      const line = this.#content.indent === undefined ? 1 : lineAt(this.#content.bytes, start)
      for (const { path, text } of service.refusals) {
        found.push(`${this.#file}:${line + service.lineOf(path) - 1}: ${pathText(index, path)} ${text}`)
      }
    }
    return found
  }

  /**
   * Takes new content and gives the groups that changed, empty ones for services that are gone. Throws `endpoints-invalid`, and changes
   * nothing, when the content is malformed.
   */
  update(bytes: Buffer): EndpointGroup[] {
    const next = this.#readChanged(bytes) ?? this.#readAll(bytes)
    const changed = next.fresh.map(service => service.group).filter(group => !isSameGroup(this.#byKey.get(group.id)?.group, group))
    for (const service of next.gone) changed.push({ ...service.group, endpoints: [] })
    for (const service of next.gone) this.#byKey.delete(service.group.id)
    for (const service of next.fresh) this.#byKey.set(service.group.id, service)
    this.#content = next.content
    return changed
  }

  #readAll(bytes: Buffer): Reading {
    const found = findItems(bytes)
    const items = found === undefined ? undefined : this.#readItems(bytes, found.spans, 0)
    const content: Content =
      items === undefined || found === undefined
        ? { bytes, indent: undefined, items: readWhole(bytes, this.#file, this.#given).map(service => ({ start: 0, end: 0, service })) }
        : { bytes, indent: found.indent, items }
    const fresh = content.items.map(item => item.service)
    const keys = this.#indexed(bytes, content, fresh, undefined)
    return { content, fresh, gone: [...this.#byKey.values()].filter(service => !keys.has(service.group.id)) }
  }

  /** Reads only the items that the difference touches; undefined when that cannot be told. */
  #readChanged(bytes: Buffer): Reading | undefined {
    const { bytes: old, indent, items } = this.#content
    if (indent === undefined) return undefined
    const prefix = commonPrefix(old, bytes)
    if (prefix === old.length && prefix === bytes.length) return { content: { ...this.#content, bytes }, fresh: [], gone: [] }
    const suffix = commonSuffix(old, bytes, Math.min(old.length, bytes.length) - prefix)
    // One more item at the front: its end is where the next one begins, which may be what changed.
    const first = Math.max(0, lastStartingBefore(items, prefix) - 1)
    const from = items[first]?.start
    if (from === undefined || from > prefix) return undefined
    // Items behind the difference, together with the line end before them.
    const behind = lastStartingBefore(items, old.length - suffix + 1) + 1
    const shift = bytes.length - old.length
    const to = (items[behind]?.start ?? old.length) + shift
    const spans = spansBetween(bytes, from, to, indent)
    if (spans === undefined || spans[0]?.start !== from) return undefined
    const touched = items.slice(first, behind)
    const read = this.#readItems(bytes, spans, first, touched)
    if (read === undefined) return undefined
    const rest = items.slice(behind).map(item => ({ start: item.start + shift, end: item.end + shift, service: item.service }))
    const content: Content = { bytes, indent, items: [...items.slice(0, first), ...read, ...rest] }
    const former = new Set(touched.map(item => item.service))
    const services = read.map(item => item.service)
    const keys = this.#indexed(bytes, content, services, former)
    const fresh = services.filter(service => !former.has(service))
    return { content, fresh, gone: [...former].filter(service => !keys.has(service.group.id)) }
  }

  /**
   * Reads items one by one, taking those over whose bytes are the same as those of a former item. Undefined when one of them needs the whole
   * file to be understood.
   * @param index of the first one in the file
   */
  #readItems(bytes: Buffer, spans: readonly Span[], index: number, former: readonly Item[] = []): Item[] | undefined {
    const old = this.#content.bytes
    const isSame = (item: Item | undefined, { start, end }: Span): item is Item =>
      item !== undefined && end - start === item.end - item.start && old.compare(bytes, start, end, item.start, item.end) === 0
    const read: Item[] = []
    let next = 0
    for (const [offset, span] of spans.entries()) {
      const same = [former[next], former[next + 1]].find(item => isSame(item, span))
      let service = same?.service
      if (same !== undefined) next = former.indexOf(same) + 1
      else {
        const place = { file: this.#file, index: index + offset, line: () => lineAt(bytes, span.start) }
        service = readItem(bytes.subarray(span.start, span.end), place, this.#given, bytes.length, former[next]?.service.group)
        if (service === undefined) return undefined
        if (service.group.id === former[next]?.service.group.id) next++
      }
      if (service !== undefined) read.push({ ...span, service })
    }
    return read
  }

  /**
   * The keys of the services read. Throws when one of them repeats another service of the content, naming both lines.
   * @param former the services they take the place of; undefined: of all
   */
  #indexed(bytes: Buffer, content: Content, read: readonly ReadService[], former: ReadonlySet<ReadService> | undefined): Set<string> {
    const keys = new Set<string>()
    for (const service of read) {
      const key = service.group.id
      const elsewhere = this.#byKey.get(key)
      const repeats = keys.has(key) || (former !== undefined && elsewhere !== undefined && !former.has(elsewhere))
      keys.add(key)
      if (!repeats) continue
      const lines = content.items
        .filter(item => item.service.group.id === key)
        .map(item => (content.indent === undefined ? item.service.lineOf([]) : lineAt(bytes, item.start)))
      const { namespace, name } = splitServiceKey(service.group.service)
      throw new IsthmusError(
        'endpoints-invalid',
        `${this.#file}:${lines[1] ?? 0}: service ${name} of namespace ${namespace} is there already, on line ${lines[0] ?? 0}: list all its endpoints in one item`,
      )
    }
    return keys
  }
}

/** What a new content changes: services that were read anew, and those that are gone. */
interface Reading {
  readonly content: Content
  readonly fresh: readonly ReadService[]
  readonly gone: readonly ReadService[]
}

/** An item that stayed where it was keeps its group if it is the same; one that moved is compared in full. */
function isSameGroup(before: EndpointGroup | undefined, after: EndpointGroup): boolean {
  return before === after || (before?.endpoints.length === after.endpoints.length && isDeepStrictEqual(before, after))
}

/** Index of the last item that starts before an offset; -1 when there is none. */
function lastStartingBefore(items: readonly Item[], offset: number): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((items[middle]?.start ?? Infinity) < offset) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The line, from 1, that an offset stands on. */
function lineAt(bytes: Buffer, offset: number): number {
  let line = 1
  for (let at = bytes.indexOf(10); at !== -1 && at < offset; at = bytes.indexOf(10, at + 1)) line++
  return line
}

function pathText(index: number, path: readonly (string | number)[]): string {
  return `services[${index}]${path.map(part => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('')}`
}
