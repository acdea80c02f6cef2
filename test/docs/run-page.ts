import { setTimeout as sleep } from 'node:timers/promises'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts, temporaryFolder, type Teardown } from '../tools/local.ts'
import { startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { isAlike, Shell, type Step, stepsOf } from './page.ts'

const patienceMs = 40_000
/** What pages say, each of which is another port in a run. */
const pagePorts = ['8080', '8877', '8443', '9443'] as const
const pageFeatures = 'deploy/examples/features'

export interface PageRun {
  /** Of the step in the page. */
  readonly index: number
  readonly step: Step
  readonly output: string
}

/**
 * Runs a page's commands as they stand, but for the ports and the folder, which are this run's own; `npx isthmus` and
 * `npx node` are this checkout's. Blocks that
 * only look are looked at again until they show what the page shows.
 */
export async function* runPage(t: Teardown, page: string): AsyncGenerator<PageRun> {
  const folder = join(await temporaryFolder(t), 'isthmus-demo')
  const ports = new Map<string, string>()
  for (const port of await freePorts(pagePorts.length)) ports.set(pagePorts[ports.size] ?? '', String(port))
  const isPort = new RegExp(`\\b(${pagePorts.join('|')})\\b`, 'g')
  const replaced = (text: string) => text.replaceAll('/tmp/isthmus-demo', folder).replace(isPort, port => ports.get(port) ?? port)
  // Manifests that the page copies from the checkout hold the same ports and folder.
  const features = join(folder, '..', 'features')
  await mkdir(features)
  for (const name of await readdir(join(repository, pageFeatures)))
    await writeFile(join(features, name), replaced(await readFile(join(repository, pageFeatures, name), 'utf8')))
  const own = (text: string) => replaced(text).replaceAll(pageFeatures, features)
  const shown = (text: string) => {
    const back = text.replaceAll(folder, '/tmp/isthmus-demo')
    return [...ports].reduce((rest, [port, ours]) => rest.replaceAll(`:${ours}`, `:${port}`), back)
  }
  const main = join(repository, 'src/main.ts')
  const shell = new Shell(
    repository,
    { ISTHMUS_ADMIN: own('http://127.0.0.1:8877') },
    `npx() { local program=$1; shift; if [ "$program" = isthmus ]; then set -- '${main}' "$@"; fi; '${process.execPath}' "$@"; }`,
  )
  t.teardown(() => shell.close())
  t.teardown(async () => {
    // What the page itself started and did not end, because it failed on the way.
    for (const name of ['consul.pid', 'peers.pid']) {
      const pid = Number(await readFile(join(folder, name), 'utf8').catch(() => ''))
      try {
        if (pid > 0) process.kill(pid)
      } catch {
        // It ended as it should.
      }
    }
  })
  for (const [index, step] of stepsOf(page).entries()) {
    if (step.how === 'demo') {
      const words = own(step.commands).trim().split(' ').slice(2)
      const demo = await startProcess(process.execPath, [main, ...words, '--port', own('8080')])
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
