import type { Checked, CheckedObject } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'
import type { Memo } from '../../model/memo.ts'
import type { Report } from '../emissary/report.ts'
import { classOf, stripsPath } from './class.ts'
import { ingressHosts, type IngressMapping, ingressMappings } from './expand.ts'

/** What Ingresses ask for, in the terms of Emissary's kinds: they name the Ingress as where they come from. */
export interface Expanded {
  readonly hosts: readonly Checked<'Host'>[]
  readonly mappings: readonly IngressMapping[]
}

/**
 * What all Ingresses ask for. One that is not of a class of ours is reported as ignored.
 * @param covered whether a Host object takes an object's requests for a name
 * @param memo of the Mappings of each Ingress
 */
export function expandIngresses(
  ingresses: readonly Checked<'Ingress'>[],
  classes: readonly Checked<'IngressClass'>[],
  covered: (hostname: string, by: Manifest) => boolean,
  report: Pick<Report, 'ignore'>,
  memo: Memo<CheckedObject, readonly IngressMapping[]>,
): Expanded {
  const expanded = ingresses.flatMap((ingress): readonly Expanded[] => {
    const verdict = classOf(ingress, classes)
    if (verdict.ours) {
      const strip = stripsPath(ingress, verdict.by)
      const mappings = memo.find(ingress, [strip]) ?? memo.keep(ingress, [strip], ingressMappings(ingress, strip))
      return [{ hosts: ingressHosts(ingress, mappings, covered), mappings }]
    }
    report.ignore(ingress, verdict.text)
    return []
  })
  return { hosts: expanded.flatMap(one => one.hosts), mappings: expanded.flatMap(one => one.mappings) }
}
