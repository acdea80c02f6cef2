import type { SeenBody } from '../admin/ledger-schemas.ts'
import type { EndpointBody } from '../admin/schemas.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import { CliError } from './io.ts'
import { seenAddress } from './seen.ts'
import type { View, ViewOptions } from './output.ts'
import { findService, servicePath } from './service-name.ts'
import { ageText, cut } from './words.ts'

/** `10.0.0.1:80`, as `why` takes it. */
const addressOf = ({ address, port }: EndpointBody) => `${address.includes(':') ? `[${address}]` : address}:${port}`

const columns: View<EndpointBody>['columns'] = [
  { head: 'ADDRESS', value: addressOf },
  { head: 'PORT', value: one => one.portName },
  { head: 'HEALTH', value: one => one.health },
  { head: 'PRESENCE', value: one => one.presence, wide: true },
  { head: 'SERVED', value: one => (one.served ? 'yes' : 'no') },
  { head: 'SOURCES', value: one => one.evidence.map(evidence => evidence.source).join(', ') },
  { head: 'WEIGHT', value: one => one.weight },
  { head: 'ZONE', value: one => one.locality.zone },
  { head: 'AGE', value: one => ageText(one.freshnessSeconds) },
  { head: 'ID', value: one => one.id, wide: true },
  { head: 'TAGS', value: one => one.tags.join(','), wide: true },
  {
    head: 'META',
    value: one =>
      Object.entries(one.meta)
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    wide: true,
  },
  { head: 'REASON', value: one => cut(one.reasons.map(reason => reason.text).join('; '), 80) },
]
const none = 'no endpoints'
const viewOfOne: View<EndpointBody> = { columns, name: addressOf, none }
const viewOfAll: View<EndpointBody> = {
  columns: [{ head: 'SERVICE', value: one => one.service }, ...columns],
  name: one => `${one.service} ${addressOf(one)}`,
  none,
}

interface Options extends ViewOptions {
  readonly watch?: true
  readonly source?: string
  readonly port?: string
  readonly at?: string
}

const viewOfPast: View<SeenBody> = {
  columns: [
    { head: 'ADDRESS', value: seenAddress },
    { head: 'HEALTH', value: one => one.health },
    { head: 'PRESENCE', value: one => one.presence },
    { head: 'SERVED', value: one => (one.served ? 'yes' : 'no') },
    { head: 'SOURCES', value: one => one.sources.join(', ') },
    { head: 'WEIGHT', value: one => one.weight },
    { head: 'REASON', value: one => cut(one.reasons.map(reason => reason.text).join('; '), 80) },
  ],
  name: seenAddress,
  none,
}

/** `isthmus endpoints [SERVICE]`. */
export const register: Register = (program, context) => {
  const command = program
    .command('endpoints')
    .argument('[service]', 'name, name.namespace or namespace/name; left out: all services')
    .description('Endpoints, their health, and who says so.')
    .option('--source <name>', 'only those this source knows')
    .option('--port <port>', 'only this port, by number or name')
    .option('--at <time>', 'as they were then: ISO 8601, or how long ago (15m)')
  addListOptions(command).action(async (service: string | undefined, options: Options) => {
    const { source, port, at } = options
    if (at !== undefined) {
      if (service === undefined) throw new CliError(2, '--at wants a service')
      if (source !== undefined || port !== undefined || options.watch === true)
        throw new CliError(2, '--at shows all that there was: leave out --source, --port and --watch')
      const path = servicePath(await findService(new AdminClient(options, context.io), service))
      await showList<SeenBody>(context, options, `${path}/endpoints`, { at }, viewOfPast)
      return
    }
    if (service === undefined) {
      await showList<EndpointBody>(context, options, '/endpoints', { source, port }, viewOfAll)
      return
    }
    const found = await findService(new AdminClient(options, context.io), service)
    await showList<EndpointBody>(context, options, `${servicePath(found)}/endpoints`, { port, source }, viewOfOne)
  })
}
