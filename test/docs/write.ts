/** `node test/docs/write.ts docs/migration.md`: runs a page's commands and puts what they print into it, in the place of what stands there. */
import { readFile, writeFile } from 'node:fs/promises'
import { withOutputs } from './page.ts'
import { runPage } from './run-page.ts'

const [file = ''] = process.argv.slice(2)
const work: (() => unknown)[] = []
try {
  const page = await readFile(file, 'utf8')
  const outputs: (string | undefined)[] = []
  const empty = page.replace(/^```text\n[^]*?^```$/gm, '```text\n```')
  for await (const { index, output } of runPage({ teardown: one => work.unshift(one) }, empty)) outputs[index] = output
  await writeFile(file, withOutputs(page, outputs))
} finally {
  for (const one of work) await one()
}
