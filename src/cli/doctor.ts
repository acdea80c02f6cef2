import type { OverrideBody } from '../admin/override-schemas.ts'
import type { ConflictBody, ObjectBody, ProxyBody, ServiceBody, SourceBody, StatusBody } from '../admin/schemas.ts'
import type { Lease } from '../discovery/contract.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { type Ailment, type Check, checks, type Examined } from './doctor-checks.ts'
import { addViewOptions, dataText, type ViewOptions } from './output.ts'
import { oneLine } from './table.ts'
import { counted } from './words.ts'

interface Result {
  readonly check: string
  readonly ok: boolean
  readonly text: string
  readonly findings: readonly Ailment[]
}

/** `isthmus doctor`: exit code 1 when it finds an error or a warning. */
export const register: Register = (program, context) => {
  const { io } = context
  const command = program
    .command('doctor')
    .description('Checks a running gateway, with a fix for each finding. Exit code 1 when there is an error or a warning.')
  addViewOptions(command).action(async (options: ViewOptions) => {
    const examined = await examine(new AdminClient(options, io))
    const results = checks.map(check => resultOf(check, examined))
    const { output } = options
    if (output === 'json' || output === 'yaml') io.out.write(await dataText({ checks: results }, output))
    else if (output === 'name')
      io.out.write(
        results
          .filter(one => !one.ok)
          .map(one => `${one.check}\n`)
          .join(''),
      )
    else io.out.write(text(results))
    context.exit(results.every(one => one.ok) ? 0 : 1)
  })
}

function resultOf({ name, well, find }: Check, examined: Examined): Result {
  const findings = find(examined)
  const ok = findings.every(one => one.level === 'note')
  return { check: name, ok, text: ok ? well(examined) : counted(findings.length, 'finding'), findings }
}

async function examine(client: AdminClient): Promise<Examined> {
  const items = async <Item>(path: string) => (await client.list<Item>(path)).body.items
  const { body: status } = await client.get<StatusBody>('/status')
  const [sources, services, proxies, objects, conflicts, overrides, agents] = await Promise.all([
    items<SourceBody>('/sources'),
    items<ServiceBody>('/services'),
    items<ProxyBody>('/proxies'),
    client.list<ObjectBody>('/objects'),
    items<ConflictBody>('/conflicts'),
    items<OverrideBody>('/overrides'),
    items<Lease>('/agents'),
  ])
  const readiness = status.ready ? (await client.get<{ checks: Examined['readiness'] }>('/../../readyz', { verbose: '' })).body.checks : []
  const { items: read, problems = [], warnings = [] } = objects.body
  return { status, readiness, sources, services, proxies, objects: read, unreadable: problems, warnings, conflicts, overrides, agents }
}

function text(results: readonly Result[]): string {
  const lines = results.flatMap(({ check, ok, text: what, findings }) => [
    `${ok ? 'ok ' : 'BAD'}  ${check}: ${what}`,
    ...findings.flatMap(({ level, subject, text: detail, fix }) => [
      `    ${level} ${subject}: ${oneLine(detail)}`,
      `      fix: ${oneLine(fix)}`,
    ]),
  ])
  const count = (level: Ailment['level']) => results.flatMap(one => one.findings).filter(one => one.level === level).length
  const sum = [counted(count('error'), 'error'), counted(count('warning'), 'warning'), counted(count('note'), 'note')].join(', ')
  return `${lines.join('\n')}\n\n${sum}\n`
}
