import type { ServiceBody } from '../admin/schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'

const view: View<ServiceBody> = {
  columns: [
    { head: 'SERVICE', value: service => service.key },
    { head: 'SERVED', value: service => `${service.served}/${service.endpoints}` },
    { head: 'HEALTH', value: healthText },
    { head: 'SOURCES', value: service => service.sources.join(', ') },
    { head: 'MODE', value: service => service.mode, wide: true },
    { head: 'CONFLICTS', value: service => service.conflicts, wide: true },
    { head: 'CLUSTERS', value: service => service.clusters.join(', '), wide: true },
  ],
  name: service => service.key,
  none: 'no services',
}

interface Options extends ViewOptions {
  readonly watch?: true
  readonly source?: string
  readonly namespace?: string
  readonly health?: string
}

/** `isthmus services [TEXT]`. */
export const register: Register = (program, context) => {
  const command = program
    .command('services')
    .argument('[text]', 'only those whose namespace/name holds it')
    .description('Services, and how many of their endpoints get requests.')
    .option('--source <name>', 'only those this source knows')
    .option('-n, --namespace <name>', 'only those of a namespace')
    .option('--health <health>', 'only those with such an endpoint: healthy, degraded, draining, unhealthy, unknown')
  addListOptions(command).action((text: string | undefined, options: Options) => {
    const { source, namespace, health } = options
    return showList<ServiceBody>(context, options, '/services', { q: text, source, namespace, health }, view)
  })
}

/** `2 healthy, 1 draining`. */
function healthText({ health }: ServiceBody): string {
  return Object.entries(health)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}
