import type { ProxyBody } from '../admin/schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'
import { oneLine } from './table.ts'
import { ageText, cut } from './words.ts'

type TypeStatus = ProxyBody['types'][number]

/** Column heads as Envoy's own names of the services; each cell is `age of the last response / age of the last acknowledgement`. */
const types: readonly (readonly [head: string, type: TypeStatus['type']])[] = [
  ['CDS', 'cluster'],
  ['EDS', 'endpoint'],
  ['LDS', 'listener'],
  ['RDS', 'route'],
]

const view: View<ProxyBody> = {
  columns: [
    { head: 'NODE', value: proxy => proxy.nodeId },
    { head: 'VERSION', value: proxy => proxy.version },
    { head: 'STATE', value: proxy => proxy.state },
    ...types.map(([head, type]) => ({
      head: `${head} SENT/ACK`,
      value: (proxy: ProxyBody) => agesOf(proxy.types.find(one => one.type === type)),
    })),
    { head: 'CLUSTER', value: proxy => proxy.cluster, wide: true },
    { head: 'ADDRESS', value: proxy => proxy.address, wide: true },
    { head: 'ZONE', value: proxy => [proxy.locality.region, proxy.locality.zone].filter(part => part !== '').join('/'), wide: true },
    { head: 'PROTOCOL', value: proxy => [...new Set(proxy.types.map(one => one.protocol))].join(','), wide: true },
    { head: 'PENDING', value: proxy => proxy.types.reduce((sum, one) => sum + one.pending, 0), wide: true },
    { head: 'NACKS', value: proxy => proxy.types.reduce((sum, one) => sum + one.nacked, 0), wide: true },
    { head: 'LAST NACK', value: proxy => cut(lastNack(proxy), 60) },
  ],
  name: proxy => proxy.nodeId,
  none: 'no Envoy is connected or was within the hour; "isthmus bootstrap" prints the configuration to start one',
}

/** `isthmus proxies`. */
export const register: Register = (program, context) => {
  const command = program.command('proxies').description('Envoys, and the age of what each was last sent and acknowledged, by type.')
  addListOptions(command).action((options: ViewOptions & { watch?: true }) =>
    showList<ProxyBody>(context, options, '/proxies', {}, view, ({ items }) => items.flatMap(nacks).join('')),
  )
}

function agesOf(status: TypeStatus | undefined): string {
  return status === undefined ? '' : `${ageText(status.sentAgeSeconds)}/${ageText(status.ackAgeSeconds)}`
}

function lastNack(proxy: ProxyBody): string {
  const [latest] = proxy.types.flatMap(one => one.lastNack ?? []).sort((a, b) => (a.at < b.at ? 1 : -1))
  return latest?.text ?? ''
}

/** The whole text of every rejection that still stands, under the table. */
function nacks(proxy: ProxyBody): readonly string[] {
  return proxy.types
    .filter(one => one.state === 'rejected')
    .map(one => {
      const { lastNack: nack } = one
      const names = nack === null || nack.names.length === 0 ? '' : ` ${nack.names.join(', ')}`
      return `${proxy.nodeId} rejects ${one.type}${names}: ${oneLine(nack?.text ?? 'no text')}\n`
    })
}
