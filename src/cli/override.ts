import { userInfo } from 'node:os'
import type { OverrideBody } from '../admin/override-schemas.ts'
import type { OverrideAction } from '../model/override.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { durationSeconds } from './duration.ts'
import { CliError } from './io.ts'
import { addViewOptions, dataText, type ViewOptions } from './output.ts'
import { overrideSummaries } from './override-words.ts'
import { findService } from './service-name.ts'

interface Options extends ViewOptions {
  readonly reason?: string
  readonly ttl?: string
  readonly id?: string
}

/** `isthmus drain|exclude|pin SERVICE IP:PORT --reason R`, `isthmus weight SERVICE IP:PORT WEIGHT --reason R`. */
export function registerOf(action: OverrideAction): Register {
  return (program, { io }) => {
    const command = program
      .command(action)
      .argument('<service>', 'name, name.namespace or namespace/name')
      .argument('<address>', 'IP:PORT or [IPv6]:PORT')
      .description(
        `${overrideSummaries[action].replace(/^./, first => first.toUpperCase())}. It goes above all sources, until it ends or is unset.`,
      )
    if (action === 'weight') command.argument('<weight>', 'from 1 to 100000; 100 is an ordinary instance')
    addViewOptions(command)
      .option('--reason <text>', 'why (needed); shown wherever the endpoint is')
      .option('--ttl <time>', 'it ends by itself, such as 15m or 1h; left out: when it is unset')
      .option('--id <id>', 'its name; an override of this id is replaced (default: made of the endpoint)')
      .action(async (...args: [service: string, address: string, ...rest: unknown[]]) => {
        const [service, address] = args
        const value = action === 'weight' ? weightOf(String(args[2])) : undefined
        const options = args[action === 'weight' ? 3 : 2] as Options
        const { reason, ttl } = options
        if (reason === undefined || reason.trim() === '') throw new CliError(2, `--reason is missing: say why, for those who find it later`)
        const ttlSeconds = ttl === undefined ? undefined : durationSeconds(ttl, '--ttl')
        const client = new AdminClient(options, io)
        const { namespace, name } = await findService(client, service)
        const id = options.id ?? idOf([action, namespace, name, address])
        const body = { service: `${namespace}/${name}`, address, action, value, reason, ttlSeconds, actor: userName() }
        const put = await client.put<OverrideBody>(`/overrides/${encodeURIComponent(id)}`, body)
        io.out.write(await text(put, options.output))
      })
  }
}

/** Who runs the command, for gateways without tokens. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    // The user has no entry in the system's list (containers).
    return 'anonymous'
  }
}

/** Throws CliError 2 for what is no weight. */
export function weightOf(text: string): number {
  const weight = Number(text)
  if (!Number.isInteger(weight) || weight < 1 || weight > 100_000)
    throw new CliError(
      2,
      `the weight must be a whole number from 1 to 100000, not "${text}"; to take an endpoint out, use isthmus drain or exclude`,
    )
  return weight
}

/** The same command again replaces, for instance to prolong; another decision about the endpoint meets this one and is refused. */
export function idOf(parts: readonly string[]): string {
  return parts
    .join('.')
    .replace(/[[\]]/g, '')
    .replace(/[^A-Za-z0-9._:-]/g, '-')
    .slice(0, 256)
}

async function text(put: OverrideBody, format: ViewOptions['output']): Promise<string> {
  if (format === 'json' || format === 'yaml') return dataText(put, format)
  if (format === 'name') return `${put.id}\n`
  const until = put.expiresAt === null ? 'until it is unset' : `until ${put.expiresAt}`
  const waiting = put.state === 'waiting' ? '; no source names this endpoint at present: it is waited for' : ''
  const lost = put.kept ? '' : '; it cannot be written and would not outlive a restart (see the log)'
  return `${put.action} ${put.address} of ${put.service} ${until}${waiting}${lost}\ntake it back: isthmus unset ${put.id}\n`
}
