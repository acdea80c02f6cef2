/** What one test file came to. A test is a top-level test case of its file, or an assertion made outside of one. */
export interface FileResult {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** The file's raw output without what passed; empty when nothing failed. */
  readonly details: readonly string[]
}

export interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

type Outcome = 'passed' | 'failed' | 'skipped'

const testPoint = /^(not )?ok \d+(.*)$/
const passedDetail = /^\s*(ok \d|# Subtest|1\.\.\d|# time=)/

/** Reads the raw TAP that tap prints for many files, line by line, and gives a result as each file ends. */
export class TapReport {
  readonly #onFile: (result: FileResult) => void
  #counts = { passed: 0, failed: 0, skipped: 0 }
  #details: string[] = []
  #file = ''

  constructor(onFile: (result: FileResult) => void) {
    this.#onFile = onFile
  }

  /** Takes the next line of the output. */
  line(text: string): void {
    const started = /^# Subtest: (.*)$/.exec(text)
    if (started !== null) this.#file = started[1] ?? ''
    const fileOutcome = outcomeOf(text)
    if (fileOutcome !== undefined) {
      this.#endFile(fileOutcome, text)
      return
    }
    // A file's own tests are indented by one level; what is deeper belongs to them.
    const outcome = text.startsWith('    ') ? outcomeOf(text.slice(4)) : undefined
    if (outcome !== undefined) this.#counts[outcome]++
    if (text.trim() !== '' && !passedDetail.test(text)) this.#details.push(text)
  }

  #endFile(outcome: Outcome, text: string): void {
    const counts = this.#counts
    // A file that crashes or fails to load may have no test of its own to blame.
    if (outcome === 'failed' && counts.failed === 0) counts.failed = 1
    if (outcome === 'skipped' && counts.skipped === 0) counts.skipped = 1
    const name = this.#file === '' ? text : this.#file
    this.#onFile({ file: name, ...counts, details: counts.failed > 0 ? this.#details : [] })
    this.#counts = { passed: 0, failed: 0, skipped: 0 }
    this.#details = []
    this.#file = ''
  }
}

/** The sums over all files. */
export function totalOf(results: readonly FileResult[]): Totals {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  for (const { passed, failed, skipped } of results) {
    sum.passed += passed
    sum.failed += failed
    sum.skipped += skipped
  }
  return sum
}

/** The last line of a test run: `N passed, N failed`, and the skipped ones only if there are any. */
export function summaryLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** The outcome of a test point at the start of the line, or undefined. What is to do counts as skipped, whatever it gave. */
function outcomeOf(text: string): Outcome | undefined {
  const found = testPoint.exec(text)
  if (found === null) return undefined
  if (/\s# (skip|todo)\b/i.test(found[2] ?? '')) return 'skipped'
  return found[1] === undefined ? 'passed' : 'failed'
}
