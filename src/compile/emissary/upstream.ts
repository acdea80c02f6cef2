import type { AssignmentSpec, MemberFilter } from '../../ir/assignment.ts'
import type { IrPool } from '../../ir/pool.ts'
import { type ServiceKey, serviceKey } from '../../model/service-key.ts'
import type { Lookups } from './lookups.ts'
import { assignment } from './names.ts'
import type { Resolver } from './resolvers.ts'
import { type ServiceName, parseServiceName } from './service-name.ts'

/** Where requests go, before load balancing and time-outs are added. */
export type Upstream =
  | { readonly kind: 'eds'; readonly name: string; readonly assignment: AssignmentSpec; readonly pool?: IrPool }
  | { readonly kind: 'strict_dns'; readonly name: string; readonly host: string; readonly port: number }
  | { readonly kind: 'static'; readonly name: string; readonly address: string; readonly port: number }

/**
 * Reads `service:` as the resolver says (interface.md, "What `service:` means"; emissary-resources.md 9, 10).
 * @param namespace of the object that names the service
 * @param tls it is spoken to by TLS, so that the port is 443 where none is given
 * @returns the upstream, or a sentence on what is wrong
 */
export function resolveUpstream(text: string, namespace: string, resolver: Resolver, lookups: Lookups, tls = false): Upstream | string {
  const parsed = parseServiceName(text)
  if (typeof parsed === 'string') return parsed
  const service: Target = { ...parsed, tls }
  if (service.isAddress) return toAddress(service)
  switch (resolver.kind) {
    case 'hybrid':
      return toPool(service, namespace, lookups)
    case 'kubernetes-endpoint':
      return eds(qualifiedKey(service.name, namespace), service, { kind: 'type', type: 'kubernetes' })
    case 'kubernetes-service':
      return toDns(service, service.name.includes('.') || service.name === 'localhost' ? service.name : `${service.name}.${namespace}`)
    case 'consul':
      return eds(
        consulKey(service.name, resolver.namespace, lookups),
        service,
        resolver.source === undefined ? { kind: 'type', type: 'consul' } : { kind: 'source', source: resolver.source },
      )
  }
}

interface Target extends ServiceName {
  readonly tls: boolean
}

function eds(key: ServiceKey, { port, tls }: Target, members: MemberFilter): Upstream {
  const spec = assignment(key, port, members, tls)
  return { kind: 'eds', name: spec.name, assignment: spec }
}

function toAddress(service: Target): Upstream | string {
  if (typeof service.port === 'string') return `"${service.name}:${service.port}": an address has no port names; give a number`
  const port = service.port ?? usualPort(service)
  return {
    kind: 'static',
    name: `static:${service.name.includes(':') ? `[${service.name}]` : service.name}:${port}`,
    address: service.name,
    port,
  }
}

function toDns(service: Target, host: string): Upstream | string {
  if (typeof service.port === 'string')
    return `"${service.name}:${service.port}": DNS has no port names; give a number, or the resolver kubernetes-endpoint`
  const port = service.port ?? usualPort(service)
  return { kind: 'strict_dns', name: `dns:${host}:${port}`, host, port }
}

function usualPort({ tls }: Target): number {
  return tls ? 443 : 80
}

/** Kubernetes' own reading: name, then namespace; further labels (`svc.cluster.local`) say nothing more. */
function qualifiedKey(name: string, namespace: string) {
  const [first = name, second = namespace] = name.split('.')
  return serviceKey(second, first)
}

/** The two services that a name with dots may mean: `name.namespace`, or a name with dots of its own before the namespace. */
export function servicesOf(name: string, namespace: string): readonly [ServiceKey, ServiceKey] {
  const lastDot = name.lastIndexOf('.')
  return [qualifiedKey(name, namespace), serviceKey(name.slice(lastDot + 1), name.slice(0, lastDot))]
}

/**
 * The pool over all sources. A name with dots may be name.namespace, a dotted name of its own (Consul, VMs) in either namespace, or a
 * host name: what is known decides, in this order, and what looks like a host name and is known to nobody is left to DNS.
 */
function toPool(service: Target, namespace: string, lookups: Lookups): Upstream | string {
  const { name, port } = service
  const all = { kind: 'all' } as const
  const whole = serviceKey(namespace, name)
  if (!name.includes('.')) return name === 'localhost' && !lookups.has(whole) ? toDns(service, name) : eds(whole, service, all)
  const [qualified, dotted] = servicesOf(name, namespace)
  const known = [qualified, dotted, whole].find(key => lookups.has(key))
  if (known !== undefined) return eds(known, service, all)
  const suffix = name.split('.').slice(1)
  const ownNamespace = suffix.length === 1 || suffix[1] === 'svc' ? lookups.hasNamespace(suffix[0] ?? '') : false
  if (ownNamespace) return eds(qualified, service, all)
  if (suffix.length > 1 && lookups.hasNamespace(suffix.at(-1) ?? '')) return eds(dotted, service, all)
  // Only services have named ports: such a name waits for its service to appear.
  return typeof port === 'string' ? eds(qualified, service, all) : toDns(service, name)
}

/** Consul's names may have dots; only a known `name.namespace` is read as such. */
function consulKey(name: string, namespace: string, lookups: Lookups) {
  const whole = serviceKey(namespace, name)
  const suffix = `.${namespace}`
  if (!name.endsWith(suffix) || name.length === suffix.length || lookups.has(whole)) return whole
  const short = serviceKey(namespace, name.slice(0, -suffix.length))
  return lookups.has(short) ? short : whole
}
