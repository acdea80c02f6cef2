import { readFileSync, statSync } from 'node:fs'
import { errorText } from '../../src/model/errors.ts'
import { KubeFailure } from './failure.ts'
import type { Material } from './kubeconfig.ts'

/** Which state a file is in: changes with every write and every swap of a symbolic link. `absent` when it is not there. */
export function fileVersion(path: string): string {
  try {
    const { mtimeMs, ino, size } = statSync(path)
    return `${String(mtimeMs)} ${String(ino)} ${String(size)}`
  } catch {
    // Between the two steps of a rotation there may be no file; who reads it says so if it stays away.
    return 'absent'
  }
}

/** PEM or token files as they stand now: read again when they changed. */
export class Materials {
  readonly #known = new Map<string, { version: string; text: string }>()

  /** The text; throws KubeFailure `unauthorized` naming the file if it cannot be read. */
  read(material: Material | undefined): string | undefined {
    if (material === undefined) return undefined
    if ('text' in material) return material.text
    const version = fileVersion(material.file)
    const known = this.#known.get(material.file)
    if (known?.version === version) return known.text
    try {
      const text = readFileSync(material.file, 'utf8')
      this.#known.set(material.file, { version, text })
      return text
    } catch (error) {
      throw new KubeFailure('unauthorized', `${material.file} cannot be read: ${errorText(error)}`, { cause: error })
    }
  }
}
