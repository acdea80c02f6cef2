import type { Manifest } from '../../../src/manifests/object.ts'
import type { ObjectRef } from '../../../src/model/object-ref.ts'
import type { KubeStatus } from '../status/desired-status.ts'
import { contentOf, type KubeContent, type KubeObject, sameContent } from './kube-object.ts'
import { collectionPath, type KubeResource } from './resources.ts'

/** What we know of one object of the cluster. */
export interface Entry {
  readonly resource: KubeResource
  readonly path: string
  content: KubeContent
  generation: number | undefined
  resourceVersion: string | undefined
  status: KubeStatus
  /** Fingerprint of what was last written to its status, by this replica. */
  written?: string
}

/** The objects of a cluster that configure the gateway, by place, with what their status needs. */
export class ObjectBook {
  readonly #entries = new Map<string, Entry>()
  readonly #byRef = new WeakMap<ObjectRef, { readonly entry: Entry; readonly content: KubeContent }>()

  /** Takes an object as it now stands; gives its entry if its content is new or has changed. */
  put(object: KubeObject, resource: KubeResource): Entry | undefined {
    const content = contentOf(object, resource)
    const id = entryId(resource, object.metadata)
    const known = this.#entries.get(id)
    const changed = known === undefined || !sameContent(known.content, content)
    const entry = known ?? {
      resource,
      path: pathOf(resource, object),
      content,
      generation: undefined,
      resourceVersion: undefined,
      status: {},
    }
    if (changed) entry.content = content
    refresh(entry, object)
    this.#entries.set(id, entry)
    return changed ? entry : undefined
  }

  /** Gives whether it was known. */
  remove(metadata: KubeObject['metadata'], resource: KubeResource): boolean {
    return this.#entries.delete(entryId(resource, metadata))
  }

  /** Says that this manifest was read of the entry as it now stands. */
  bind(entry: Entry, manifest: Manifest): void {
    this.#byRef.set(manifest.ref, { entry, content: entry.content })
  }

  /** The entry that a status is about; undefined if it was read elsewhere, is gone, or has changed since. */
  find(ref: ObjectRef): Entry | undefined {
    const bound = this.#byRef.get(ref)
    if (bound === undefined || bound.entry.content !== bound.content) return undefined
    const { resource, content } = bound.entry
    return this.#entries.get(entryId(resource, content.metadata)) === bound.entry ? bound.entry : undefined
  }
}

/** Takes what may change without a change of content. */
export function refresh(entry: Entry, object: KubeObject): void {
  entry.generation = object.metadata.generation
  entry.resourceVersion = object.metadata.resourceVersion
  entry.status = typeof object.status === 'object' && object.status !== null ? (object.status as KubeStatus) : {}
}

/** Unique in one cluster; also the id of its manifest group. */
export function entryId({ plural, apiVersion }: KubeResource, { namespace = '', name }: KubeObject['metadata']): string {
  return `${apiVersion}/${plural}/${namespace}/${name}`
}

function pathOf(resource: KubeResource, { metadata }: KubeObject): string {
  return `${collectionPath(resource, metadata.namespace)}/${metadata.name}`
}
