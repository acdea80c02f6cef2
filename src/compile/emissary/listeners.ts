import type { IrListener, IrRouteConfig } from '../../ir/route-table.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import { refText } from '../../model/object-ref.ts'
import type { HostNode } from './hosts.ts'
import type { MappingRoute } from './mapping-route.ts'
import type { Report } from './report.ts'
import { selects, selectorText } from './selector.ts'
import { virtualHosts } from './virtual-hosts.ts'

export interface ListenerContext {
  readonly hosts: readonly HostNode[]
  readonly routes: readonly MappingRoute[]
  readonly bindAddress: string
  readonly strict: boolean
  readonly report: Report
}

/**
 * Listeners by port, and the route configurations they serve. A route configuration is named after what selects it (security model and
 * host binding), so Listeners that agree on both share one, and its name stays when Hosts and Mappings come and go: a new name would make
 * Envoy replace the listener.
 * @param listeners sorted by namespace and name; of two with one port the first stays
 */
export function compileListeners(
  listeners: readonly Checked<'Listener'>[],
  context: ListenerContext,
): { readonly listeners: readonly IrListener[]; readonly routeConfigs: readonly IrRouteConfig[] } {
  const byPort = new Map<number, Checked<'Listener'>>()
  const configs = new Map<string, IrRouteConfig>()
  const made: IrListener[] = []
  for (const listener of listeners) {
    const { port, securityModel, statsPrefix, l7Depth } = listener.spec
    const holder = byPort.get(port)
    if (holder !== undefined) {
      const { ref } = holder.manifest
      context.report.refuse(listener, {
        path: ['spec', 'port'],
        text: `${port} is taken by ${refText(ref)} (${ref.at}); choose another port`,
      })
      continue
    }
    byPort.set(port, listener)
    const hosts = context.hosts.filter(host => takes(listener, host))
    if (hosts.length === 0) context.report.notice(listener, 'no Host fits spec.hostBinding: every request gets 404')
    const routeConfig = routeConfigName(listener)
    if (!configs.has(routeConfig)) {
      const hostsOfModel = virtualHosts(hosts, context.routes, { model: securityModel, strict: context.strict, report: context.report })
      configs.set(routeConfig, { name: routeConfig, virtualHosts: hostsOfModel })
    }
    made.push({
      name: `listener-${port}`,
      address: context.bindAddress,
      port,
      statPrefix: statsPrefix ?? 'ingress_http',
      routeConfig,
      trustedHops: l7Depth ?? 0,
      securityModel,
      origin: listener.manifest.ref,
    })
  }
  return {
    listeners: made.sort((a, b) => a.port - b.port),
    routeConfigs: [...configs.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

/** Whether a Listener takes a Host: namespace (its own unless ALL) and selector must both fit (emissary-resources.md 4). */
export function takes(listener: Checked<'Listener'>, host: HostNode): boolean {
  if (host.synthetic) return true
  const { namespace, selector } = listener.spec.hostBinding
  const everywhere = namespace?.from === 'ALL'
  return (everywhere || host.ref.namespace === listener.manifest.namespace) && (selector === undefined || selects(selector, host.labels))
}

function routeConfigName(listener: Checked<'Listener'>): string {
  const { securityModel, hostBinding } = listener.spec
  const scope = hostBinding.namespace?.from === 'ALL' ? 'all' : `namespace:${listener.manifest.namespace}`
  const labels = hostBinding.selector === undefined ? '' : selectorText(hostBinding.selector)
  return ['routes', securityModel, scope, ...(labels === '' ? [] : [labels])].join('|')
}
