import { run } from '../../src/cli/program.ts'
import { FakeGateway, open } from '../admin/gateway.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly tty?: boolean
  readonly signal?: AbortSignal
  /** Sees everything that is written to standard output. */
  readonly onOut?: (text: string) => void
}

/** Runs one command line inside this process. */
export async function isthmus(args: readonly string[], { env = {}, cwd = '/', tty = false, signal, onOut }: RunOptions = {}): Promise<Ran> {
  let out = ''
  let err = ''
  const code = await run(args, {
    out: {
      isTTY: tty,
      columns: 100,
      write: text => {
        out += text
        onOut?.(text)
      },
    },
    err: { write: text => (err += text) },
    env,
    cwd,
    interrupted: signal ?? new AbortController().signal,
  })
  return { code, out, err }
}

/** The admin API of a made-up gateway on a port of its own. */
export async function listening(
  t: { teardown(fn: () => unknown): void },
  gateway = new FakeGateway(),
  options: Parameters<typeof open>[2] = {},
) {
  const { app } = open(t, gateway, options)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, gateway, url, env: { ISTHMUS_ADMIN: url } }
}
