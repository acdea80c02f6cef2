import { existsSync } from 'node:fs'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const sourceLimit = 400
const testLimit = 500

/** The hand-written source files under these folders, as sorted paths relative to the root. Folders that do not exist are empty. */
export async function sourceFiles(root: string, folders: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const folder of folders.filter(folder => existsSync(join(root, folder)))) {
    const options = { cwd: root, exclude: (path: string) => path.endsWith('node_modules') }
    for await (const path of glob(`${folder}/**/*.{ts,js}`, options)) found.push(path)
  }
  return found.sort()
}

/** One line per file that has more lines than the house limit: 400 for sources, 500 for tests. */
export async function sizeFindings(root: string): Promise<string[]> {
  const sources = await sourceFiles(root, ['src', 'plugins', 'protos', 'vm-agent/src'])
  const tests = await sourceFiles(root, ['test', 'vm-agent/test'])
  return [...(await tooLong(root, sources, sourceLimit)), ...(await tooLong(root, tests, testLimit))]
}

async function tooLong(root: string, paths: readonly string[], limit: number): Promise<string[]> {
  const findings: string[] = []
  for (const path of paths) {
    const lines = (await readFile(join(root, path), 'utf8')).split('\n').length - 1
    if (lines > limit) findings.push(`${path} has ${lines} lines, the limit is ${limit}`)
  }
  return findings
}
