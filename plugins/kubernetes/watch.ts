import { failureOfStatus, KubeFailure } from './failure.ts'
import { JsonLines } from './json-lines.ts'
import type { Reading } from './list.ts'
import { collectionPath, keyOf, type KubeObject, versionOf } from './resource.ts'
import type { ShelfItem } from './shelf.ts'

/** What came together, in order. */
export interface WatchBatch<T> {
  readonly items: readonly ShelfItem<T>[]
  /** From where to go on; undefined where it did not move. */
  readonly version: string | undefined
  readonly events: number
  readonly bookmarks: number
  /** `now` when its bytes were here, before any of them was parsed. */
  readonly receivedAt: number
  /** An ERROR event: the watch is over. */
  readonly failure: KubeFailure | undefined
}

interface WatchOptions {
  readonly version: string
  /** The API server ends it after this. */
  readonly timeoutSeconds: number
  /** Silence for this long ends it. */
  readonly idleMs: number
  readonly signal: AbortSignal
  readonly now: () => number
}

/**
 * Follows a resource from a version on. Yields once with nothing when the API server has accepted the watch, then what each piece of the
 * answer holds. Returns when the API server ends it. Throws KubeFailure.
 */
export async function* watchResource<T>(reading: Reading<T>, options: WatchOptions): AsyncGenerator<WatchBatch<T>, void, void> {
  const { client, resource, namespace, labelSelector, fieldSelector } = reading
  const path = collectionPath(resource, namespace)
  const query = {
    watch: '1',
    allowWatchBookmarks: 'true',
    resourceVersion: options.version,
    timeoutSeconds: String(options.timeoutSeconds),
    labelSelector,
    fieldSelector,
  }
  const pieces = await client.stream({ path, query, signal: options.signal }, options.idleMs)
  yield { items: [], version: undefined, events: 0, bookmarks: 0, receivedAt: options.now(), failure: undefined }
  const lines = new JsonLines()
  for await (const piece of pieces) {
    const receivedAt = options.now()
    const events = lines.push(piece)
    if (events.length > 0) yield batchOf(events, reading, receivedAt, `watch ${path}`)
  }
}

interface WatchEvent {
  readonly type?: unknown
  readonly object?: KubeObject & { readonly code?: unknown; readonly message?: unknown }
}

function batchOf<T>(lines: readonly string[], { strip }: Reading<T>, receivedAt: number, what: string): WatchBatch<T> {
  const items: ShelfItem<T>[] = []
  let version: string | undefined
  let bookmarks = 0
  for (const line of lines) {
    const { type, object } = eventOf(line, what)
    const failure = type === 'ERROR' ? failureOfStatus(what, object ?? {}) : undefined
    if (failure !== undefined || object?.metadata === undefined) {
      return { items, version, events: items.length, bookmarks, receivedAt, failure: failure ?? notAnEvent(what, undefined) }
    }
    version = object.metadata.resourceVersion ?? version
    if (type === 'BOOKMARK') bookmarks++
    else items.push({ key: keyOf(object.metadata), object: type === 'DELETED' ? undefined : versioned(object, strip) })
  }
  return { items, version, events: items.length, bookmarks, receivedAt, failure: undefined }
}

function versioned<T>(object: KubeObject, strip: Reading<T>['strip']): ShelfItem<T>['object'] {
  const value = strip(object)
  return value === undefined ? undefined : { version: versionOf(object.metadata), value }
}

function eventOf(line: string, what: string): WatchEvent {
  try {
    return JSON.parse(line) as WatchEvent
  } catch (error) {
    throw notAnEvent(what, error)
  }
}

function notAnEvent(what: string, cause: unknown): KubeFailure {
  return new KubeFailure('server', `${what}: an event cannot be understood`, { cause })
}
