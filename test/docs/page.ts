import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** A block of commands of a page, and what it is said to print. */
export interface Step {
  /** `demo`: it stays up; `until`: it only looks, and may have to look again; empty: it is run once. */
  readonly how: 'demo' | 'until' | ''
  readonly commands: string
  /** Undefined: nothing is shown of it. */
  readonly output: string | undefined
  /** Of the commands in the page. */
  readonly line: number
}

/** The steps of a page: every block `sh`, with the block `text` behind it, if there is one. */
export function stepsOf(page: string): readonly Step[] {
  const blocks = [...page.matchAll(/^```(sh|text) ?(\w*)\n([^]*?)^```$/gm)]
  return blocks.flatMap(([, kind, how = '', text = ''], index) => {
    if (kind !== 'sh') return []
    if (how !== '' && how !== 'demo' && how !== 'until') throw new Error(`a block "sh ${how}"`)
    const next = blocks[index + 1]
    const line = page.slice(0, blocks[index]?.index).split('\n').length + 1
    return [{ how, commands: text, output: next?.[1] === 'text' ? next[3] : undefined, line }]
  })
}

/** Puts outputs in the place of those in a page. */
export function withOutputs(page: string, outputs: readonly (string | undefined)[]): string {
  let step = -1
  return page.replace(/^```(sh|text)( ?\w*)\n([^]*?)^```$/gm, (block: string, kind: string, how: string) => {
    if (kind === 'sh') {
      step++
      return block
    }
    return `\`\`\`text${how}\n${outputs[step] ?? ''}\`\`\``
  })
}

/** What may differ from run to run, made equal: ports, addresses of this machine, ages, times, versions; then the lines sorted, as ports sort them. */
export function shapeOf(output: string): readonly string[] {
  return output
    .split('\n')
    .map(line =>
      line
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
        .replace(/\b\d+\.\d+\.\d+\.\d+\b/g, address => (address.startsWith('127.') ? address : 'MACHINE'))
        .replace(/:\d{4,5}\b/g, ':PORT')
        .replace(/\b\d+(ms|[smhd])\b/g, 'AGE')
        .replace(/\b[0-9a-f]{16}\b/g, 'VERSION')
        .replace(/ \(and \d+ more\)/, '')
        // The node of an agent is named like the machine.
        .replace(/\binstance [\w.-]+\//, 'instance NODE/')
        .replace(/\b(consul|pod|vm)-\d\b/g, '$1-N')
        .replace(/ +/g, ' ')
        .trim(),
    )
    .filter(line => line !== '')
    .sort()
}

/** Of 200 requests, so many more or fewer are chance. */
const tolerance = 24

/** Counts of `uniq -c`, by what they count; every other line counts as one more of itself. */
function countsOf(output: string): { readonly exact: ReadonlyMap<string, number>; readonly rough: ReadonlyMap<string, number> } {
  const exact = new Map<string, number>()
  const rough = new Map<string, number>()
  for (const line of shapeOf(output)) {
    const [, count, what] = /^(\d+) ("instance":.*)$/.exec(line) ?? []
    if (count !== undefined && what !== undefined) rough.set(what, Number(count))
    else exact.set(line, (exact.get(line) ?? 0) + 1)
  }
  return { exact, rough }
}

/** Whether two outputs say the same, up to what may differ. */
export function isAlike(expected: string, actual: string): boolean {
  const [wanted, got] = [countsOf(expected), countsOf(actual)]
  const isWithin = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>, by: number) =>
    a.size === b.size && [...a].every(([key, count]) => b.has(key) && Math.abs(count - (b.get(key) ?? 0)) <= by)
  return isWithin(wanted.exact, got.exact, 0) && isWithin(wanted.rough, got.rough, tolerance)
}

/** One shell in which a page's commands run after each other. */
export class Shell {
  readonly #shell: ChildProcessWithoutNullStreams
  #text = ''

  /** @param prelude run first, without output */
  constructor(cwd: string, env: Readonly<Record<string, string | undefined>>, prelude: string) {
    this.#shell = spawn('bash', ['--noprofile', '--norc'], { cwd, env: { ...process.env, ...env } })
    this.#shell.stdout.on('data', (data: Buffer) => (this.#text += data.toString()))
    this.#shell.stdin.write(`exec 2>&1\n${prelude}\n`)
  }

  /** Gives what the commands print, errors too. */
  async run(commands: string): Promise<string> {
    const mark = `--end-${String(Math.random()).slice(2)}--`
    this.#text = ''
    this.#shell.stdin.write(`${commands}\nprintf '%s\\n' ${mark}\n`)
    for (;;) {
      const end = this.#text.indexOf(`${mark}\n`)
      if (end >= 0) return this.#text.slice(0, end)
      if (this.#shell.exitCode !== null) throw new Error(`the shell ended: ${this.#text}`)
      await sleep(20)
    }
  }

  async close(): Promise<void> {
    if (this.#shell.exitCode !== null) return
    const ended = once(this.#shell, 'exit')
    this.#shell.stdin.end()
    await ended
  }
}
