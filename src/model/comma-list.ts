/** What stands between the commas of a text, trimmed; empty places do not count. */
export function commaList(text: string): readonly string[] {
  return text
    .split(',')
    .map(one => one.trim())
    .filter(one => one !== '')
}
