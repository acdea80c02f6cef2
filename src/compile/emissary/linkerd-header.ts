import type { IrAddedHeader } from '../../ir/cluster-options.ts'
import { parseServiceName } from './service-name.ts'

/**
 * What `add_linkerd_headers` sends: tells linkerd's proxy where a request is meant for, by its own name of the service (emissary-resources.md
 * 1.3). Empty where the text is no service name, which is reported elsewhere.
 * @param text `[scheme://]name[.namespace][:port]`
 * @param from the namespace of a name without one
 */
export function linkerdHeader(text: string, from: string): readonly IrAddedHeader[] {
  const service = parseServiceName(text)
  if (typeof service === 'string') return []
  const [name = service.name, namespace = from] = service.name.split('.')
  const value = `${name}.${namespace}.svc.cluster.local:${String(service.port ?? (service.scheme === 'https' ? 443 : 80))}`
  return [{ name: 'l5d-dst-override', value, append: false }]
}
