import type { Checked } from '../../manifests/checked-object.ts'
import { stripPathAnnotation } from '../../manifests/ingress-options.ts'

type Ingress = Checked<'Ingress'>
type IngressClass = Checked<'IngressClass'>

const classAnnotation = 'kubernetes.io/ingress.class'
const defaultAnnotation = 'ingressclass.kubernetes.io/is-default-class'
/** Names that are ours without an IngressClass object that says so: Emissary's, and our own. */
const ownNames = ['ambassador', 'isthmus']

/** Whether an Ingress is ours, and through which class: undefined where a name alone says so. A text says whose it is instead. */
export type ClassVerdict = { readonly ours: true; readonly by: IngressClass | undefined } | { readonly ours: false; readonly text: string }

/**
 * Finds out whose an Ingress is (emissary-resources.md 8): the old annotation goes before `spec.ingressClassName`, and one without either
 * belongs to the default class.
 * @param classes IngressClasses of our controllers
 */
export function classOf(ingress: Ingress, classes: readonly IngressClass[]): ClassVerdict {
  const named = ingress.manifest.annotations[classAnnotation] ?? ingress.spec.ingressClassName
  if (named === undefined) {
    const standard = classes.find(({ manifest }) => manifest.annotations[defaultAnnotation] === 'true')
    if (standard !== undefined) return { ours: true, by: standard }
    return { ours: false, text: `names no class and none of ours is the default; set spec.ingressClassName: ${ownNames.join(' or ')}` }
  }
  const by = classes.find(({ manifest }) => manifest.name === named)
  if (by !== undefined || ownNames.includes(named)) return { ours: true, by }
  const known = [...new Set([...classes.map(({ manifest }) => manifest.name), ...ownNames])]
  return { ours: false, text: `is of the class ${named}; ours are ${known.join(', ')}` }
}

/** Whether the matched path is cut off before the request goes on, as Emissary does; the Ingress's own word counts before its class's. */
export function stripsPath(ingress: Ingress, by: IngressClass | undefined): boolean {
  return (ingress.manifest.annotations[stripPathAnnotation] ?? by?.manifest.annotations[stripPathAnnotation]) === 'true'
}
