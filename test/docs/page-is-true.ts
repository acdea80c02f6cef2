import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { repository } from '../tools/repository.ts'
import { isAlike, shapeOf, stepsOf } from './page.ts'
import { runPage } from './run-page.ts'

/** Runs every command of a page as written, and holds what it prints against what the page shows. */
export async function pageIsTrue(t: Test, path: string): Promise<void> {
  const page = await readFile(join(repository, path), 'utf8')
  const steps = stepsOf(page)
  let ran = steps.filter(step => step.how === 'demo').length
  for await (const { step, output } of runPage(t, page)) {
    ran++
    const what = `${path}:${String(step.line)}`
    if (isAlike(step.output ?? '', output)) t.pass(what)
    else t.same(shapeOf(output), shapeOf(step.output ?? ''), what)
  }
  t.equal(ran, steps.length)
  t.ok(steps.length > 12 && steps.every(step => step.output?.trim() !== ''), 'nothing is left out')
}
