/**
 * Names that the text of a NACK puts the blame on, out of those that may be at fault. Envoy writes `Error adding/updating cluster(s) X: why,
 * Y: why`; others mention the name somewhere. Empty when the text names none of them. A short name may stand in the text by chance, so the
 * form `name: why` counts alone if it occurs.
 */
export function blamedNames(text: string, names: readonly string[]): readonly string[] {
  const accused = names.filter(name => mentions(text, name, ':'))
  return accused.length > 0 ? accused : names.filter(name => mentions(text, name, ''))
}

/** Whether the text holds a name as a whole word, followed by `suffix`: names may be parts of each other. */
function mentions(text: string, name: string, suffix: string): boolean {
  if (name === '') return false
  const wanted = name + suffix
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const before = text[at - 1] ?? ' '
    const after = text.slice(at + wanted.length, at + wanted.length + 2)
    if (/[\w/.|:-]/.test(before)) continue
    // A full stop ends a sentence, or goes on with a longer name.
    if (suffix === '' ? !/^([\w/|-]|[.:]\w)/.test(after) : /^(\s|$)/.test(after)) return true
  }
  return false
}
