import { setTimeout as sleep } from 'node:timers/promises'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts, temporaryFolder, type Teardown } from '../tools/local.ts'
import { startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { isAlike, Shell, type Step, stepsOf } from './page.ts'

const patienceMs = 40_000

export interface PageRun {
  /** Of the step in the page. */
  readonly index: number
  readonly step: Step
  readonly output: string
}

/**
 * Runs a page's commands as they stand, but for the ports and the folder, which are this run's own; `npx isthmus` is this checkout's. Blocks that
 * only look are looked at again until they show what the page shows.
 */
export async function* runPage(t: Teardown, page: string): AsyncGenerator<PageRun> {
  const folder = join(await temporaryFolder(t), 'isthmus-demo')
  const [http = 0, admin = 0] = await freePorts(2)
  const own = (text: string) =>
    text
      .replaceAll('/tmp/isthmus-demo', folder)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${http}`)
      .replaceAll('127.0.0.1:8877', `127.0.0.1:${admin}`)
  const shown = (text: string) => text.replaceAll(folder, '/tmp/isthmus-demo')
  const main = join(repository, 'src/main.ts')
  const shell = new Shell(
    repository,
    { ISTHMUS_ADMIN: `http://127.0.0.1:${admin}` },
    `npx() { shift; '${process.execPath}' '${main}' "$@"; }`,
  )
  t.teardown(() => shell.close())
  t.teardown(async () => {
    // What the page itself started and did not end, because it failed on the way.
    const pid = Number(await readFile(join(folder, 'consul.pid'), 'utf8').catch(() => ''))
    try {
      if (pid > 0) process.kill(pid)
    } catch {
      // It ended as it should.
    }
  })
  for (const [index, step] of stepsOf(page).entries()) {
    if (step.how === 'demo') {
      const words = own(step.commands).trim().replace('8877', String(admin)).split(' ').slice(2)
      const demo = await startProcess(process.execPath, [main, ...words, '--port', String(http)])
      t.teardown(() => demo.stop(20_000))
      await demo.untilPrinted(/Everything stays up/, 240_000)
      continue
    }
    // A block that shows nothing yet is being written: what comes after a while is taken.
    if (step.how === 'until' && step.output?.trim() === '') await sleep(4000)
    let output = shown(await shell.run(own(step.commands)))
    const deadline = performance.now() + patienceMs
    while (step.how === 'until' && step.output?.trim() !== '' && !isAlike(step.output ?? '', output) && performance.now() < deadline) {
      await sleep(250)
      output = shown(await shell.run(own(step.commands)))
    }
    yield { index, step, output }
  }
}
