import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from './process.ts'
import { repository, repositoryEnvironment } from './repository.ts'
import { sourceFiles } from './source-files.ts'

/** The part of dependency-cruiser's JSON report that is read here. */
interface CruiseReport {
  readonly modules: readonly { readonly source: string }[]
  readonly summary: {
    readonly totalDependenciesCruised: number
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string }
      readonly comment?: string
      readonly cycle?: readonly { readonly name: string }[]
    }[]
  }
}

const folders = ['src', 'plugins', 'protos', 'vm-agent/src']

/**
 * One line per import in `root` that breaks the law of .dependency-cruiser.cjs, and one for each source file the check did not read:
 * with a compiler it does not know, dependency-cruiser reads nothing and is content. Throws if it cannot run at all.
 */
export async function importLawFindings(root: string): Promise<string[]> {
  const config = join(repository, '.dependency-cruiser.cjs')
  const present = folders.filter(folder => existsSync(join(root, folder)))
  const depcruise = join(repository, 'node_modules/.bin/depcruise')
  const env = { PATH: repositoryEnvironment['PATH'] ?? '' }
  const end = await runToEnd(depcruise, ['--config', config, '--output-type', 'json', ...present], { cwd: root, env, timeoutMs: 120_000 })
  if (!end.stdout.startsWith('{')) throw new Error(`depcruise gave no report: ${end.stderr || end.stdout}`)
  const { modules, summary } = JSON.parse(end.stdout) as CruiseReport

  const read = new Set(modules.map(module => module.source))
  const missed = (await sourceFiles(root, folders)).filter(path => !read.has(path))
  const findings = missed.map(path => `${path} was not read by dependency-cruiser`)
  if (summary.totalDependenciesCruised === 0) findings.push('dependency-cruiser saw no import at all')
  for (const { rule, from, to, cycle } of summary.violations) {
    findings.push(`${rule.name}: ${from} → ${cycle === undefined ? to : cycle.map(step => step.name).join(' → ')}`)
  }
  return findings
}
