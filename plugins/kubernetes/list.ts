import type { KubeClient } from './client.ts'
import { KubeFailure } from './failure.ts'
import { JsonItems } from './json-items.ts'
import { collectionPath, keyOf, type KubeObject, type KubeResource, type Listed, type Versioned, versionOf } from './resource.ts'

/** What is read of a resource, and what is kept of it. */
export interface Reading<T> {
  readonly client: KubeClient
  readonly resource: KubeResource
  /** Default: all namespaces, or a resource without namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Keeps of an object what is used; undefined: as if the object did not exist. Must not throw. */
  readonly strip: (object: KubeObject) => T | undefined
}

/** A page's bytes may stay away this long. */
const idleMs = 30_000

/**
 * Reads a whole resource, page by page, each object parsed by itself as its bytes arrive. When a page's token has grown too old (410) the
 * list begins anew, once. Throws KubeFailure; then nothing of it counts.
 */
export async function listResource<T>(reading: Reading<T>, pageSize: number, signal: AbortSignal): Promise<Listed<T>> {
  try {
    return await readPages(reading, pageSize, signal)
  } catch (error) {
    if (!(error instanceof KubeFailure) || error.kind !== 'expired') throw error
    return readPages(reading, pageSize, signal)
  }
}

async function readPages<T>(reading: Reading<T>, pageSize: number, signal: AbortSignal): Promise<Listed<T>> {
  const items = new Map<string, Versioned<T>>()
  let from = ''
  for (;;) {
    const { version, next } = await readPage(reading, { pageSize, from, items, signal })
    if (next === '') return { items, version }
    from = next
  }
}

interface Page<T> {
  readonly pageSize: number
  readonly from: string
  readonly items: Map<string, Versioned<T>>
  readonly signal: AbortSignal
}

async function readPage<T>(reading: Reading<T>, { pageSize, from, items, signal }: Page<T>): Promise<{ version: string; next: string }> {
  const { client, resource, namespace, labelSelector, fieldSelector, strip } = reading
  const path = collectionPath(resource, namespace)
  const query = { limit: String(pageSize), continue: from === '' ? undefined : from, labelSelector, fieldSelector }
  const splitter = new JsonItems()
  for await (const piece of await client.stream({ path, query, signal }, idleMs)) {
    for (const bytes of splitter.push(piece)) {
      const object = parsed(bytes, path) as KubeObject
      const value = strip(object)
      if (value !== undefined) items.set(keyOf(object.metadata), { version: versionOf(object.metadata), value })
    }
  }
  let metadata: { resourceVersion?: unknown; continue?: unknown }
  try {
    metadata = splitter.end()['metadata'] ?? {}
  } catch (error) {
    throw notOurs(path, error)
  }
  if (typeof metadata.resourceVersion !== 'string' || metadata.resourceVersion === '') throw notOurs(path, undefined)
  return { version: metadata.resourceVersion, next: typeof metadata.continue === 'string' ? metadata.continue : '' }
}

function parsed(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw notOurs(path, error)
  }
}

function notOurs(path: string, cause: unknown): KubeFailure {
  return new KubeFailure('server', `GET ${path}: the answer is no list of a Kubernetes API server`, { cause })
}
