import { readFile, stat } from 'node:fs/promises'
import { errorText } from '../model/errors.ts'
import type { ManifestGroup } from './contract.ts'
import { maxManifestBytes, type ParsedManifests, parseManifests } from './parse.ts'

/** Files that hold manifests. */
export function isManifestFile(name: string): boolean {
  return /\.(ya?ml|json)$/i.test(name)
}

/**
 * Reads one file into a group. What cannot be read keeps its former objects (`keep`): a slip in an editor takes no route away. A file that
 * is gone gives undefined. Never throws.
 * @param namespace of objects without one
 * @param parse reads the text
 */
export async function readManifestFile(
  file: string,
  namespace: string,
  parse: (...given: Parameters<typeof parseManifests>) => ParsedManifests | Promise<ParsedManifests> = parseManifests,
): Promise<ManifestGroup | undefined> {
  try {
    const { size } = await stat(file)
    if (size > maxManifestBytes) return unreadable(file, `has ${size} bytes; at most ${maxManifestBytes} are read: split the file`)
    const bytes = await readFile(file)
    const text = decode(bytes)
    if (text === undefined) return unreadable(file, 'is no UTF-8 text; save it as UTF-8, or move it out of the folder')
    const { objects, problems } = await parse(text, { file, namespace })
    // A document without a readable name may be any of the former objects.
    return { id: file, objects, problems, keep: problems.length > 0 }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    return unreadable(file, `cannot be read: ${errorText(error)}; correct the file's permissions`)
  }
}

function unreadable(file: string, text: string): ManifestGroup {
  return { id: file, objects: [], problems: [{ code: 'manifest-unreadable', at: file, text }], keep: true }
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // The only reason to throw: bytes that are no UTF-8.
    return undefined
  }
}
