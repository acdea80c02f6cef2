import type { SelectorLike } from '../../manifests/check-values.ts'

/** Kubernetes' label selector: all of matchLabels and matchExpressions must hold. An empty one matches everything. */
export function selects(selector: SelectorLike, labels: Readonly<Record<string, string>>): boolean {
  const own = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined)
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => own(key) === value) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = own(key)
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value)
        case 'NotIn':
          return value === undefined || !values.includes(value)
        case 'Exists':
          return value !== undefined
        case 'DoesNotExist':
          return value === undefined
      }
    })
  )
}

/** It says nothing, as if it were not there (Emissary). */
export function isEmptySelector(selector: SelectorLike | undefined): boolean {
  return selector === undefined || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0)
}

/** The same text for equal selectors. */
export function selectorText(selector: SelectorLike): string {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const expressions = (selector.matchExpressions ?? []).map(one =>
    `${one.key} ${one.operator} ${[...(one.values ?? [])].sort().join(' ')}`.trim(),
  )
  return [...labels, ...expressions].sort().join(',')
}
