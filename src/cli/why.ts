import type { Explanation } from '../admin/schemas.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { addListOptions } from './list-command.ts'
import { dataText, type ViewOptions } from './output.ts'
import type { Io } from './io.ts'
import { findService, servicePath } from './service-name.ts'
import { type Column, hasColors, oneLine, painter, tableText } from './table.ts'
import { show } from './watch.ts'

const deliveryColumns: readonly Column<Explanation['delivery'][number]>[] = [
  { head: 'ENVOY', value: one => one.nodeId },
  { head: 'CLUSTER', value: one => one.cluster },
  { head: 'STATE', value: one => (one.proxyState === 'disconnected' ? one.proxyState : one.state) },
  { head: 'ACKED', value: one => one.ackedVersion ?? '' },
  { head: 'CURRENT', value: one => one.currentVersion ?? '' },
]

/** `isthmus why SERVICE IP:PORT`: exit code 1 when the address is absent. */
export const register: Register = (program, context) => {
  const { io } = context
  const command = program
    .command('why')
    .argument('<service>', 'name, name.namespace or namespace/name')
    .argument('<address>', 'IP:PORT or [IPv6]:PORT')
    .description('Why an address gets requests as a service, or does not; exit code 1 when it is absent.')
  addListOptions(command).action(async (service: string, address: string, options: ViewOptions & { watch?: true }) => {
    const client = new AdminClient(options, io)
    const path = `${servicePath(await findService(client, service))}/explain`
    await show(io, options.watch === true, async (blocking, waitMs, signal) => {
      const { body, index } = await client.get<Explanation>(path, { address, ...blocking }, waitMs, signal)
      context.exit(body.verdict === 'absent' ? 1 : 0)
      return { body: await explanationText(body, options.output, io), index }
    })
  })
}

async function explanationText(explanation: Explanation, format: ViewOptions['output'], io: Io): Promise<string> {
  if (format === 'json' || format === 'yaml') return dataText(explanation, format)
  if (format === 'name') return `${explanation.verdict}\n`
  const { verdict, text, steps, delivery } = explanation
  const width = String(steps.length).length
  const codeWidth = Math.max(...steps.map(step => step.code.length))
  const lines = steps.map((step, index) => {
    const code = format === 'wide' ? `${step.code.padEnd(codeWidth)}  ` : ''
    return `  ${String(index + 1).padStart(width)}. ${code}${oneLine(step.text)}\n`
  })
  const arrival = delivery.length === 0 ? '' : `\n${tableText(delivery, deliveryColumns, false, io)}`
  return `${painter(hasColors(io))(verdict)}: ${oneLine(text)}\n\n${lines.join('')}${arrival}`
}
