import { readFile } from 'node:fs/promises'
import { listManifestFiles } from '../manifests/list-files.ts'
import { errorText } from '../model/errors.ts'
import { CliError } from './io.ts'

/**
 * The text of manifest files, as they are.
 * @throws CliError when a path does not exist, cannot be read, or holds no manifests
 */
export async function manifestTexts(paths: readonly string[]): Promise<readonly { readonly file: string; readonly text: string }[]> {
  const texts: { file: string; text: string }[] = []
  for (const path of paths) {
    const listing = await listManifestFiles(path)
    if (!listing.exists) throw new CliError(2, `-f ${path}: there is no such file or folder`)
    for (const [place, text] of listing.unreadable) throw new CliError(1, `-f ${place}: cannot be read: ${text}`)
    if (listing.files.size === 0) throw new CliError(2, `-f ${path}: no manifests (*.yaml, *.yml, *.json) there`)
    for (const file of [...listing.files.keys()].sort()) texts.push({ file, text: await textOf(file) })
  }
  return texts
}

async function textOf(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (cause) {
    throw new CliError(1, `-f ${file}: cannot be read as UTF-8 text: ${errorText(cause)}`, { cause })
  }
}
