import type { StatusBody } from '../admin/schemas.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { addListOptions } from './list-command.ts'
import { dataText, type ViewOptions } from './output.ts'
import type { Io } from './io.ts'
import { type Column, hasColors, painter, tableText } from './table.ts'
import { show } from './watch.ts'
import { ageText, counted } from './words.ts'

const sourceColumns: readonly Column<StatusBody['sources'][number]>[] = [
  { head: 'SOURCE', value: source => source.name },
  { head: 'TYPE', value: source => source.type },
  { head: 'STATE', value: source => source.state },
  { head: 'AGE', value: source => ageText(source.ageSeconds) },
  { head: 'ERROR', value: source => source.error ?? '' },
]
const proxyColumns: readonly Column<StatusBody['proxies'][number]>[] = [
  { head: 'ENVOY', value: proxy => proxy.nodeId },
  { head: 'STATE', value: proxy => proxy.state },
  { head: 'STREAMS', value: proxy => proxy.streams },
]

/** `isthmus status`: exit code 1 while the gateway is not ready. */
export const register: Register = (program, context) => {
  const { io } = context
  addListOptions(program.command('status').description('The gateway in short; exit code 1 while it is not ready.')).action(
    async (options: ViewOptions & { watch?: true }) => {
      const client = new AdminClient(options, io)
      await show(io, options.watch === true, async (blocking, waitMs, signal) => {
        const { body, index } = await client.get<StatusBody>('/status', { ...blocking }, waitMs, signal)
        context.exit(body.ready ? 0 : 1)
        return { body: await statusText(body, options.output, io), index }
      })
    },
  )
}

async function statusText(status: StatusBody, format: ViewOptions['output'], io: Io): Promise<string> {
  if (format === 'json' || format === 'yaml') return dataText(status, format)
  if (format === 'name') return `${status.id}\n`
  const { counts } = status
  const { accepted, refused, ignored, unreadable } = counts.objects
  const state = painter(hasColors(io))(status.ready ? 'ready' : 'not ready')
  const objects = [counted(accepted, 'object'), `${refused} refused`, `${ignored} ignored`, `${unreadable} unreadable`]
  return [
    `${status.id}  version ${status.version}  up ${ageText(status.uptimeSeconds)}  ${state}\n`,
    `${counted(counts.services, 'service')}, ${counted(counts.endpoints, 'endpoint')} (revision ${status.revision})\n`,
    `${objects.filter((part, index) => index === 0 || !part.startsWith('0 ')).join(', ')}; ${counted(counts.routes, 'route')}, ${counted(counts.clusters, 'cluster')}\n`,
    status.sources.length === 0 ? '\nno sources\n' : `\n${tableText(status.sources, sourceColumns, false, io)}`,
    status.proxies.length === 0 ? '\nno Envoys\n' : `\n${tableText(status.proxies, proxyColumns, false, io)}`,
  ].join('')
}
