import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { glob, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { progress } from './cache.ts'
import { consulPath } from './consul.ts'
import { envoyPath } from './envoy.ts'
import { etcdPath } from './etcd.ts'
import { haproxyPath, withoutHaproxy } from './haproxy.ts'
import { kubeApiserverPath } from './kube-apiserver.ts'
import { kubectlPath } from './kubectl.ts'
import { repository, repositoryEnvironment } from './repository.ts'
import { type FileResult, summaryLine, TapReport, totalOf } from './tap-report.ts'

// A first use of a real program may be slow on a busy machine; tap's own limit is 30 s for a whole file.
const tapArguments = ['--jobs=2', '--timeout=180', '--disable-coverage', '--allow-empty-coverage', '--reporter=tap']

/** Runs tap with these further arguments (files, `--grep`, …), printing a line per file and what failed. Gives tap's exit code. */
async function runTap(args: readonly string[], results: FileResult[]): Promise<number> {
  const child = spawn('tap', [...tapArguments, ...args], {
    cwd: repository,
    env: repositoryEnvironment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const report = new TapReport(result => {
    results.push(result)
    console.log(`${result.failed > 0 ? 'FAILED' : 'ok    '} ${result.file} (${summaryLine(result)})`)
    for (const line of result.details) console.log(line)
  })
  createInterface({ input: child.stdout }).on('line', line => report.line(line))
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}

/** tap takes files only: a folder stands for the tests in it. */
async function withoutFolders(args: readonly string[]): Promise<string[]> {
  const expanded: string[] = []
  for (const arg of args) {
    const isFolder = await stat(join(repository, arg)).then(
      found => found.isDirectory(),
      () => false,
    )
    if (!isFolder) expanded.push(arg)
    else for await (const file of glob(`${arg}/**/*.test.ts`, { cwd: repository })) expanded.push(file)
  }
  return expanded
}

/** tap bakes the list of its plugins (.taprc) into a module of its own; without this, a fresh clone runs with those it ships with. */
async function buildTap(): Promise<void> {
  const child = spawn('tap', ['build'], { cwd: repository, env: repositoryEnvironment, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`tap build ended with ${code}`)
}

await buildTap()
// Before tap starts its clock: the first use builds them.
const programs = await Promise.all([envoyPath(), consulPath(), etcdPath(), kubeApiserverPath(), kubectlPath(), haproxyPath()])
progress(`testing with ${programs.map(path => path ?? withoutHaproxy).join(', ')}`)
const results: FileResult[] = []
const code = await runTap(await withoutFolders(process.argv.slice(2)), results)
const totals = totalOf(results)
const failed = totals.failed === 0 && code !== 0 ? 1 : totals.failed
if (failed !== totals.failed) console.log(`tap ended with ${code} although no test failed`)
if (totals.passed + failed === 0) console.log('no test ran')
console.log(summaryLine({ ...totals, failed }))
process.exitCode = failed === 0 && totals.passed > 0 ? 0 : 1
