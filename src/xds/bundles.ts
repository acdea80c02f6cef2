import { hash } from 'node:crypto'
import type { Resource } from './resource.ts'
import type { ResourceType } from './type-urls.ts'

/** Many resources that went out together, most likely to go out so again: to the next client that connects. */
interface Bundle {
  readonly resources: readonly Resource[]
  readonly version: string
  /** Form → the joined frames, for as long as some response with them waits for its socket. */
  readonly joined: Map<string, WeakRef<Buffer>>
}

/** Shorter lists are joined as fast as they are compared. */
const bundleLeast = 8

/** Versions and frames of lists of resources, of long ones made once for all clients that are sent the same (xds.md 5.3). */
export class Bundles {
  readonly #last = new Map<ResourceType, Bundle>()

  /** One version for a list of resources: equal content, equal version, on every replica (xds.md C17). */
  version(resources: readonly Resource[]): string {
    const [only] = resources
    if (resources.length === 1 && only !== undefined) return only.version
    return this.#bundle(resources)?.version ?? versionOf(resources)
  }

  /** `make` of the resources, in one piece if they are many. */
  frames(resources: readonly Resource[], form: string, make: (resources: readonly Resource[]) => Buffer[]): readonly Buffer[] {
    const bundle = this.#bundle(resources)
    if (bundle === undefined) return make(resources)
    let joined = bundle.joined.get(form)?.deref()
    if (joined === undefined) bundle.joined.set(form, new WeakRef((joined = Buffer.concat(make(resources)))))
    return [joined]
  }

  #bundle(resources: readonly Resource[]): Bundle | undefined {
    const [first] = resources
    if (first === undefined || resources.length < bundleLeast) return undefined
    let bundle = this.#last.get(first.type)
    if (bundle?.resources.length !== resources.length || !bundle.resources.every((one, index) => one === resources[index])) {
      bundle = { resources, version: versionOf(resources), joined: new Map() }
      this.#last.set(first.type, bundle)
    }
    return bundle
  }
}

function versionOf(resources: readonly Resource[]): string {
  // Sorted, because the order of resources is that in which this replica came to know them.
  const versions = resources.map(resource => resource.version).sort()
  return hash('sha1', versions.join()).slice(0, 16)
}
