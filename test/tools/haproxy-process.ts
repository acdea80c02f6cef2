import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, startProcess } from './process.ts'

/** Starts HAProxy with that configuration, which it writes into `folder`, and waits until it serves. Throws what it says against it. */
export async function startHaproxy(program: string, folder: string, configuration: string): Promise<Child> {
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, configuration)
  const child = await startProcess(program, ['-W', '-db', '-f', file])
  await child.untilPrinted(/Loading success/)
  return child
}
