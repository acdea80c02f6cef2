/** Keys from the root of an object, e.g. `['spec', 'headers', 'x-a']`. */
export type FieldPath = readonly (string | number)[]

/** `spec.headers.x-a`, `spec.protocolStack[0]`. */
export function pathText(path: FieldPath): string {
  return path.reduce<string>((text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`), '')
}
