import { type CheckedObject, type Finding, objectId } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'

/** What one pass over the objects found, by object id. */
export class Report {
  /** Refused on their own: without them the rest stands. */
  readonly refused = new Map<string, Finding[]>()
  /** Refused together, by group: which member is at fault cannot be told. */
  readonly refusedGroups: (readonly { readonly id: string; readonly finding: Finding }[])[] = []
  readonly notices = new Map<string, Set<string>>()
  /** Objects that turned out not to be ours, and why. */
  readonly ignored = new Map<string, string>()

  /** What of objects reaches no Envoy, and why, though nothing is wrong with them. */
  readonly unserved = new Map<string, string>()

  refuse(object: CheckedObject, finding: Finding): void {
    add(this.refused, objectId(object.manifest), placed(object, finding))
  }

  refuseGroup(members: readonly { readonly object: CheckedObject; readonly finding: Finding }[]): void {
    this.refusedGroups.push(members.map(({ object, finding }) => ({ id: objectId(object.manifest), finding: placed(object, finding) })))
  }

  ignore(object: CheckedObject, text: string): void {
    this.ignored.set(objectId(object.manifest), text)
  }

  /** Beside the notice that people read. */
  unserve(object: CheckedObject, text: string): void {
    const id = objectId(object.manifest)
    if (!this.unserved.has(id)) this.unserved.set(id, text)
    this.notice(object, text)
  }

  /** Also of an object that cannot be used. */
  notice({ manifest }: { readonly manifest: Manifest }, text: string): void {
    this.#notice(objectId(manifest), text)
  }

  get isEmpty(): boolean {
    const { refused, refusedGroups, notices, ignored, unserved } = this
    return refused.size + refusedGroups.length + notices.size + ignored.size + unserved.size === 0
  }

  /** Adds what was found apart, as if it had been found here. */
  include(apart: Report): void {
    for (const [id, findings] of apart.refused) for (const finding of findings) add(this.refused, id, finding)
    this.refusedGroups.push(...apart.refusedGroups)
    for (const [id, texts] of apart.notices) for (const text of texts) this.#notice(id, text)
    for (const [id, text] of apart.ignored) this.ignored.set(id, text)
    for (const [id, text] of apart.unserved) if (!this.unserved.has(id)) this.unserved.set(id, text)
  }

  #notice(id: string, text: string): void {
    const notices = this.notices.get(id)
    if (notices === undefined) this.notices.set(id, new Set([text]))
    else notices.add(text)
  }
}

/** What was made of a part of an object is at fault there. */
function placed({ at }: CheckedObject, finding: Finding): Finding {
  return at === undefined ? finding : { path: at, text: finding.text }
}

function add(map: Map<string, Finding[]>, id: string, finding: Finding): void {
  const findings = map.get(id) ?? []
  // A Mapping on several Hosts meets the same group again.
  if (!findings.some(one => one.text === finding.text)) findings.push(finding)
  map.set(id, findings)
}
