import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, chmod, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A program that is built or downloaded once per version and then kept in the user cache folder. */
export interface CachedTool {
  readonly name: string
  readonly version: string
  /** What the first use does and how long it takes, for the progress line. */
  readonly work: string
  /** Name of the executable inside the finished folder. */
  readonly file: string
  /** Fills an empty folder; it becomes the cached one only if this succeeds. */
  readonly build: (folder: string) => Promise<void>
}

const progressEveryMs = 15_000
const lockPollMs = 500
const commandTimeoutMs = 20 * 60_000

/** The folder of everything the tests keep between runs: `$XDG_CACHE_HOME/isthmus`, else `~/.cache/isthmus`. */
export function cacheFolder(): string {
  const home = process.env['XDG_CACHE_HOME']
  return join(home === undefined || home === '' ? join(homedir(), '.cache') : home, 'isthmus')
}

/** Writes one progress line to stderr. */
export function progress(text: string): void {
  process.stderr.write(`isthmus: ${text}\n`)
}

/** The first executable of that name on PATH, or undefined. */
export async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name)
  }
  return undefined
}

/** The program a variable names or PATH has, or undefined. Throws if the variable names something that cannot be run. */
export async function findInstalled(name: string, variable: string): Promise<string | undefined> {
  const chosen = process.env[variable]
  if (chosen === undefined || chosen === '') return findOnPath(name)
  if (await isExecutable(chosen)) return chosen
  throw new Error(`${variable} is ${chosen}, which is not an executable file`)
}

/** The path of a cached tool's executable; builds it first if it is missing. Throws what the build throws, and leaves nothing behind then. */
export async function cachedTool(tool: CachedTool): Promise<string> {
  const parent = join(cacheFolder(), tool.name)
  const folder = join(parent, `${tool.version}-${process.platform}-${process.arch}`)
  const path = join(folder, tool.file)
  if (await isExecutable(path)) return path
  await mkdir(parent, { recursive: true })
  await withLock(`${folder}.lock`, `${tool.name} ${tool.version}`, async () => {
    if (!(await isExecutable(path))) await install(tool, folder)
  })
  return path
}

/** Runs a program to its end and gives its stdout. Throws with the end of its output if it fails or runs for more than 20 minutes. */
export async function command(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    const limits = { timeout: commandTimeoutMs, maxBuffer: 64 * 1024 * 1024 }
    return (await promisify(execFile)(program, [...args], { ...options, ...limits, encoding: 'utf8' })).stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed: ${(stdout + stderr).slice(-3000) || String(error)}`, { cause: error })
  }
}

async function install(tool: CachedTool, folder: string): Promise<void> {
  const label = `${tool.name} ${tool.version}`
  const started = Date.now()
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`
  progress(`${tool.work} ${label} …`)
  const timer = setInterval(() => progress(`still at ${label} after ${seconds()}`), progressEveryMs)
  const temporary = await mkdtemp(`${folder}.building-`)
  try {
    await chmod(temporary, 0o755)
    await tool.build(temporary)
    await access(join(temporary, tool.file), constants.X_OK)
    await rm(folder, { recursive: true, force: true })
    await rename(temporary, folder)
  } finally {
    clearInterval(timer)
    await rm(temporary, { recursive: true, force: true })
  }
  progress(`${label} is ready after ${seconds()}: ${folder}`)
}

/**
 * Runs `work` while no other process holds the lock of that file. The lock is an exclusive SQLite transaction, which the kernel
 * releases when its owner dies, so nobody ever has to guess whether a lock is stale.
 */
async function withLock(file: string, label: string, work: () => Promise<void>): Promise<void> {
  using database = new DatabaseSync(file, { timeout: 0 })
  for (let waited = 0; !tryLock(database); waited += lockPollMs) {
    if (waited % progressEveryMs === 0) progress(`waiting for another process to finish ${label} …`)
    await sleep(lockPollMs)
  }
  try {
    await work()
  } finally {
    database.exec('ROLLBACK')
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if ((error as { errcode?: number }).errcode === 5) return false // SQLITE_BUSY
    throw error
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
