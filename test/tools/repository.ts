import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root folder of this repository. */
export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The environment in which the repository's own programs, its Node among them, come first. */
export const repositoryEnvironment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: [join(repository, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter),
}

/** Runs a program in the repository, its output going where ours goes. Gives its exit code, 1 if a signal ended it. */
export async function runInRepository(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, [...args], { cwd: repository, env: repositoryEnvironment, stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}
