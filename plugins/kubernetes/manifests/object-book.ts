import type { Manifest } from '../../../src/manifests/object.ts'
import type { ObjectRef } from '../../../src/model/object-ref.ts'
import { collectionPath, keyOf, type KubeMetadata } from '../resource.ts'
import type { KubeStatus } from '../status/desired-status.ts'
import { type ManifestResource, resourceName } from './resources.ts'
import { type KubeContent, sameContent, type Seen } from './seen.ts'

/** One object of the cluster, for those who write its status. */
export interface Entry {
  /** Also the id of its manifest group. */
  readonly id: string
  readonly resource: ManifestResource
  readonly path: string
  content: KubeContent
  generation: number | undefined
  resourceVersion: string | undefined
  status: KubeStatus
  /** What this replica last said in its status. */
  written?: string
}

/** The objects of a cluster that configure the gateway, by place, and which manifests were read of them. */
export class ObjectBook {
  readonly #entries = new Map<string, Entry>()
  readonly #byRef = new WeakMap<ObjectRef, { readonly entry: Entry; readonly content: KubeContent }>()

  /** Takes an object as it now stands; gives its entry if its content is new or has changed. */
  put(seen: Seen, resource: ManifestResource): Entry | undefined {
    const { content } = seen
    const id = entryId(resource, content.metadata)
    const known = this.#entries.get(id)
    if (known !== undefined && sameContent(known.content, content)) {
      Object.assign(known, { ...seen, content: known.content })
      return undefined
    }
    const path = `${collectionPath(resource, content.metadata.namespace)}/${content.metadata.name}`
    const entry: Entry = known === undefined ? { id, resource, path, ...seen } : Object.assign(known, seen)
    this.#entries.set(id, entry)
    return entry
  }

  /** Gives the id of the entry if there was one. */
  remove(metadata: KubeMetadata, resource: ManifestResource): string | undefined {
    const id = entryId(resource, metadata)
    return this.#entries.delete(id) ? id : undefined
  }

  /** Says that this manifest was read of the entry as it now stands. */
  bind(entry: Entry, manifest: Manifest): void {
    this.#byRef.set(manifest.ref, { entry, content: entry.content })
  }

  /** The entry that a manifest's status is about; undefined if it was read elsewhere, is gone, or has changed since. */
  find(ref: ObjectRef): Entry | undefined {
    const bound = this.#byRef.get(ref)
    if (bound === undefined || bound.entry.content !== bound.content) return undefined
    return this.#entries.get(bound.entry.id) === bound.entry ? bound.entry : undefined
  }
}

function entryId(resource: ManifestResource, metadata: KubeMetadata): string {
  return `${resourceName(resource)}/${keyOf(metadata)}`
}
