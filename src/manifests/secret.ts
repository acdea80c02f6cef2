import { HiddenText } from '../model/hidden-text.ts'
import { describe, isMapping } from './check-schema.ts'
import type { FieldPath } from './field-path.ts'
import type { SecretSpec } from './schema/tls.ts'

/**
 * Reads the values of a Kubernetes Secret, which stand beside its metadata and not under a spec: `data` in base64, `stringData` as it is,
 * which wins. A value that is no text gives where it is and what is wrong, never the value.
 */
export function readSecret(value: Readonly<Record<string, unknown>>): SecretSpec | { readonly path: FieldPath; readonly text: string } {
  const data: Record<string, HiddenText> = {}
  for (const [field, decode] of [
    ['data', fromBase64],
    ['stringData', (text: string) => text],
  ] as const) {
    const given = value[field]
    if (given === undefined || given === null) continue
    if (!isMapping(given)) return { path: [field], text: `${field} of a Secret must be a mapping, got ${describe(given)}` }
    for (const [key, item] of Object.entries(given)) {
      const text = typeof item === 'string' ? decode(item) : undefined
      if (text === undefined) return { path: [field, key], text: `${field}.${key} must be text${field === 'data' ? ' in base64' : ''}` }
      data[key] = new HiddenText(text)
    }
  }
  return { ...(typeof value['type'] === 'string' ? { type: value['type'] } : {}), data }
}

function fromBase64(text: string): string | undefined {
  const bare = text.replace(/\s/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(bare) || bare.length % 4 !== 0) return undefined
  return Buffer.from(bare, 'base64').toString('utf8')
}
