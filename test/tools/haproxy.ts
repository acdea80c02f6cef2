import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedTool, command, findInstalled } from './cache.ts'
import { hasDebianPackages, unpackDebianPackage } from './debian.ts'

const name = 'haproxy'
const variable = 'ISTHMUS_HAPROXY'

/**
 * The path of HAProxy: `ISTHMUS_HAPROXY`, else `haproxy` on PATH, else the distribution's own, unpacked once and cached. Undefined where there
 * is neither it nor apt-get. Throws with what to install if it cannot be unpacked.
 */
export async function haproxyPath(): Promise<string | undefined> {
  const installed = await findInstalled(name, variable)
  if (installed !== undefined || !(await hasDebianPackages())) return installed
  // Which version it is, the distribution decides.
  return cachedTool({ name, version: 'apt', work: 'unpacking (first use, a few seconds)', file: name, build })
}

/** What somebody without HAProxy is told. */
export const withoutHaproxy = `no HAProxy, and no apt-get to fetch it: install haproxy, or set ${variable} to its path`

async function build(folder: string): Promise<void> {
  try {
    const libraries = await unpackDebianPackage(name, folder)
    const here = '$(dirname "$0")'
    const paths = libraries.split(':').map(path => `${here}/${path}`)
    const launcher = join(folder, name)
    await writeFile(launcher, `#!/bin/sh\nLD_LIBRARY_PATH="${paths.join(':')}" exec "${here}/usr/sbin/haproxy" "$@"\n`)
    await chmod(launcher, 0o755)
    await command(launcher, ['-v'])
  } catch (error) {
    throw new Error(`HAProxy cannot be unpacked from this distribution's packages: install haproxy, or set ${variable} to its path`, {
      cause: error,
    })
  }
}
