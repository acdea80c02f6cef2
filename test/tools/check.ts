import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { importLawFindings } from './import-law.ts'
import { repository, runInRepository } from './repository.ts'
import { sizeFindings } from './source-files.ts'

/** One step of the gate: gives what is wrong, nothing if it passed. Programs print their findings themselves. */
interface Step {
  readonly name: string
  readonly title: string
  readonly run: () => Promise<readonly string[]>
}

const steps: readonly Step[] = [
  program('format', 'biome', 'format', '--max-diagnostics=20'),
  program('types', 'tsc', '--noEmit'),
  program('lint', 'eslint', '.'),
  { name: 'law', title: 'import law and cycles', run: () => importLawFindings(repository) },
  program('dead', 'knip'),
  // What only tests use is dead code and a wrong dependency in production.
  program('production', 'knip', '--production', '--include', 'files,dependencies'),
  { name: 'descriptors', title: 'descriptors are those of the protos', run: descriptorFindings },
  program('crds', process.execPath, 'test/tools/crds.ts', '--check'),
  { name: 'size', title: 'file sizes', run: () => sizeFindings(repository) },
]

function program(name: string, file: string, ...args: readonly string[]): Step {
  const run = async () => {
    const code = await runInRepository(file, args)
    return code === 0 ? [] : [`${file} ended with ${code}`]
  }
  return { name, title: [file, ...args].join(' '), run }
}

async function descriptorFindings(): Promise<readonly string[]> {
  if (!existsSync(join(repository, 'protos/build.ts'))) return ['protos/build.ts is missing']
  const code = await runInRepository(process.execPath, ['protos/build.ts', '--check'])
  return code === 0 ? [] : ['protos/descriptors.json differs from what protos/build.ts makes: run npm run protos']
}

/** Runs one step under its heading and says whether it passed. A step that throws has failed. */
async function passes(step: Step): Promise<boolean> {
  console.log(`\n== ${step.name}: ${step.title}`)
  const started = performance.now()
  const findings = await step.run().catch((error: unknown) => [error instanceof Error ? error.message : String(error)])
  for (const finding of findings) console.log(finding)
  console.log(`-- ${findings.length === 0 ? 'ok' : 'FAILED'} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  return findings.length === 0
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => steps.every(step => step.name !== name))
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}; there are ${steps.map(step => step.name).join(', ')}`)
  process.exit(2)
}
const chosen = steps.filter(step => wanted.length === 0 || wanted.includes(step.name))
const failed: string[] = []
for (const step of chosen) {
  if (!(await passes(step))) failed.push(step.name)
}
console.log(failed.length === 0 ? `\ncheck: all ${chosen.length} steps passed` : `\ncheck: FAILED: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
