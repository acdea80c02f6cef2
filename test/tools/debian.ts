import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { command, findOnPath } from './cache.ts'

/** Whether packages of Debian, or of a distribution made from it, can be had here. */
export async function hasDebianPackages(): Promise<boolean> {
  return (await findOnPath('apt-get')) !== undefined && (await findOnPath('dpkg-deb')) !== undefined
}

/**
 * Unpacks a package, and those it needs that this machine lacks, into `folder`; needs no rights, as nothing is installed and the lists of
 * what there is are fetched anew, into the folder, too. Gives what a program of them needs in LD_LIBRARY_PATH.
 */
export async function unpackDebianPackage(name: string, folder: string): Promise<string> {
  const own = join(folder, 'apt')
  const archives = join(own, 'cache', 'archives')
  await mkdir(join(own, 'lists', 'partial'), { recursive: true })
  await mkdir(join(archives, 'partial'), { recursive: true })
  const options = [
    '-qq',
    '-o',
    `Dir::State::lists=${join(own, 'lists')}`,
    '-o',
    `Dir::Cache=${join(own, 'cache')}`,
    '-o',
    'Debug::NoLocking=1',
  ]
  await command('apt-get', [...options, 'update'])
  await command('apt-get', [...options, '--yes', '--download-only', '--no-install-recommends', 'install', name])
  for (const file of await readdir(archives)) if (file.endsWith('.deb')) await command('dpkg-deb', ['-x', join(archives, file), folder])
  await rm(own, { recursive: true })
  const libraries = join(folder, 'usr', 'lib')
  const folders = (await readdir(libraries, { withFileTypes: true })).filter(entry => entry.isDirectory())
  return folders.map(entry => join('usr', 'lib', entry.name)).join(':')
}
