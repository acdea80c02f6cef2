import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { IsthmusError } from '../../model/errors.ts'

/**
 * The path of a program the demo needs: `ISTHMUS_ENVOY`, `ISTHMUS_CONSUL`, `ISTHMUS_ETCD` or
 * `ISTHMUS_KUBE_APISERVER`, else the one on PATH, else in a checkout the pinned one that
 * test/tools fetches or builds into the user's cache (minutes on first use, with progress on standard error). Throws `tool-missing`.
 */
export async function findPart(name: 'envoy' | 'consul' | 'etcd' | 'kube-apiserver'): Promise<string> {
  const variable = `ISTHMUS_${name.toUpperCase().replaceAll('-', '_')}`
  const given = process.env[variable]
  if (given !== undefined && given !== '') return given
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder !== '' && (await isExecutable(path))) return path
  }
  const fetcher = fileURLToPath(new URL('../../../test/tools/fetch.ts', import.meta.url))
  if (!(await isExecutable(fetcher, constants.R_OK))) {
    throw new IsthmusError('tool-missing', `${name} is not on PATH: install it, or name it in ${variable}`)
  }
  try {
    const running = promisify(execFile)(process.execPath, [fetcher, name])
    running.child.stderr?.pipe(process.stderr)
    return (await running).stdout.trim()
  } catch (cause) {
    throw new IsthmusError('tool-missing', `${name} is not on PATH and could not be fetched: install it, or name it in ${variable}`, {
      cause,
    })
  }
}

async function isExecutable(path: string, mode: number = constants.X_OK): Promise<boolean> {
  try {
    await access(path, mode)
    return true
  } catch {
    return false
  }
}
