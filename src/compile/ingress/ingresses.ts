import type { Checked } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'
import type { Report } from '../emissary/report.ts'
import { classOf, stripsPath } from './class.ts'
import { expandIngress, type Expanded } from './expand.ts'

/**
 * What all Ingresses ask for. One that is not of a class of ours is reported as ignored.
 * @param covered whether a Host object takes an object's requests for a name
 */
export function expandIngresses(
  ingresses: readonly Checked<'Ingress'>[],
  classes: readonly Checked<'IngressClass'>[],
  covered: (hostname: string, by: Manifest) => boolean,
  report: Pick<Report, 'ignore'>,
): Expanded {
  const expanded = ingresses.flatMap(ingress => {
    const verdict = classOf(ingress, classes)
    if (verdict.ours) return [expandIngress(ingress, stripsPath(ingress, verdict.by), covered)]
    report.ignore(ingress, verdict.text)
    return []
  })
  return { hosts: expanded.flatMap(one => one.hosts), mappings: expanded.flatMap(one => one.mappings) }
}
