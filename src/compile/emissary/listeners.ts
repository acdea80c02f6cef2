import type { IrChain, IrListener, IrRouteConfig } from '../../ir/route-table.ts'
import { protocolStack } from '../../manifests/check-listener.ts'
import type { Checked, Finding } from '../../manifests/checked-object.ts'
import { refText } from '../../model/object-ref.ts'
import type { Steps } from '../../model/steps.ts'
import type { CompileMemo } from './compile-memo.ts'
import type { Adoption, HostNode } from './hosts.ts'
import type { Report } from './report.ts'
import { selects, selectorText } from './selector.ts'
import type { TcpGroup } from './tcp-mappings.ts'
import { virtualHosts } from './virtual-hosts.ts'

export interface ListenerContext {
  readonly hosts: readonly HostNode[]
  readonly adoption: Adoption
  readonly tcp: readonly TcpGroup[]
  readonly bindAddress: string
  /** Of Listeners without `l7Depth`. */
  readonly trustedHops: number
  readonly report: Report
  readonly memo: CompileMemo['hosts']
}

type Listener = Checked<'Listener'>

/** On a Listener of UDP: the port that clients are told to come to by HTTP/3, where it is not the one they see. */
const altSvcAnnotation = 'isthmus.dev/alt-svc-port'
/** That of https, which load balancers in front nearly always show. */
const usualPort = 443
/** On a Listener with PROXY: `optional` while load balancers in front are switched over, else `required`. */
const proxyAnnotation = 'isthmus.dev/proxy-protocol'

/**
 * Listeners by port, and the route configurations they serve. A route configuration is named after what selects it (security model and
 * host binding), so Listeners that agree on both share one, and its name stays when Hosts and Mappings come and go: a new name would make
 * Envoy replace the listener.
 * @param listeners sorted by namespace and name; of two with one port the first stays
 */
export function* compileListeners(
  listeners: readonly Listener[],
  context: ListenerContext,
): Steps<{ readonly listeners: readonly IrListener[]; readonly routeConfigs: readonly IrRouteConfig[] }> {
  const byPort = new Map<string, Listener>()
  const served = new Map<string, { readonly hosts: readonly HostNode[]; readonly model: IrListener['securityModel'] }>()
  const made: IrListener[] = []
  for (const listener of listeners) {
    const { port, securityModel, statsPrefix, l7Depth, http2MaxConcurrentStreams: streams } = listener.spec
    const stack = protocolStack(listener.spec)
    const quic = stack.includes('UDP')
    const holder = byPort.get(portKey(port, quic))
    if (holder !== undefined) {
      const { ref } = holder.manifest
      context.report.refuse(listener, {
        path: ['spec', 'port'],
        text: `${port} is taken by ${refText(ref)} (${ref.at}); choose another port`,
      })
      continue
    }
    const shown = listener.manifest.annotations[altSvcAnnotation]
    if (shown !== undefined && !(/^[1-9][0-9]{0,4}$/.test(shown) && Number(shown) <= 65_535)) {
      context.report.refuse(listener, { path: ['metadata', 'annotations', altSvcAnnotation], text: `"${shown}" is no port` })
      continue
    }
    const proxy = readProxy(listener, stack)
    if (typeof proxy === 'object') {
      context.report.refuse(listener, proxy)
      continue
    }
    byPort.set(portKey(port, quic), listener)
    const hosts = context.hosts.filter(host => takes(listener, host))
    if (hosts.length === 0) context.report.notice(listener, 'no Host fits spec.hostBinding: every request gets 404')
    const serve = (name: string, taken: readonly HostNode[]): string => {
      if (!served.has(name)) served.set(name, { hosts: taken, model: securityModel })
      return name
    }
    const own = httpChains(stack, listener, hosts, context.report, serve)
    const chains = withTcp(own, quic ? [] : context.tcp.filter(group => group.port === port), context.report)
    if (chains.length === 0) {
      const why = stack.includes('HTTP')
        ? 'no Host that it takes has a certificate (tlsSecret, or a TLSContext)'
        : 'no TCPMapping is for it'
      context.report.notice(listener, `port ${port} is not opened: ${why}`)
      continue
    }
    made.push({
      name: quic ? `listener-udp-${port}` : `listener-${port}`,
      address: (quic ? undefined : context.tcp.find(group => group.port === port)?.address) ?? context.bindAddress,
      port,
      ...(quic ? { quic } : {}),
      ...(streams === undefined ? {} : { http2MaxConcurrentStreams: streams }),
      statPrefix: statsPrefix ?? (quic ? `ingress_udp_${port}` : stack.includes('TLS') ? 'ingress_https' : 'ingress_http'),
      ...(proxy === undefined ? {} : { proxyProtocol: proxy }),
      chains,
      trustedHops: l7Depth ?? context.trustedHops,
      securityModel,
      origin: listener.manifest.ref,
    })
  }
  for (const [port, groups] of Map.groupBy(context.tcp, group => group.port)) {
    const [first] = groups
    // A Listener of the port, be it one that cannot be opened, decides; without one the TCPMappings open it (emissary-resources.md 2).
    if (byPort.has(portKey(port, false)) || first === undefined) continue
    const { address = context.bindAddress, origin } = first
    const chains = withTcp([], groups, context.report)
    made.push({
      name: `listener-${port}`,
      address,
      port,
      statPrefix: `ingress_tcp_${port}`,
      chains,
      trustedHops: 0,
      securityModel: 'INSECURE',
      origin,
    })
  }
  const routeConfigs: IrRouteConfig[] = []
  for (const [name, { hosts, model }] of [...served].sort(([a], [b]) => (a < b ? -1 : 1)))
    routeConfigs.push({ name, virtualHosts: yield* virtualHosts(name, hosts, { ...context, model }) })
  return { listeners: made.map(one => advertised(one, made, byPort)).sort((a, b) => a.port - b.port), routeConfigs }
}

/** How a Listener reads PROXY headers; undefined: not at all. A finding when its annotation is wrong. */
function readProxy({ manifest }: Listener, stack: ReturnType<typeof protocolStack>): IrListener['proxyProtocol'] | Finding {
  const written = manifest.annotations[proxyAnnotation]
  const path = ['metadata', 'annotations', proxyAnnotation]
  if (written !== undefined && !stack.includes('PROXY')) return { path, text: 'needs PROXY in protocolStack' }
  if (written !== undefined && written !== 'required' && written !== 'optional')
    return { path, text: `"${written}" is neither required nor optional` }
  return stack.includes('PROXY') ? (written ?? 'required') : undefined
}

function portKey(port: number, quic: boolean): string {
  return `${quic ? 'udp' : 'tcp'}:${port}`
}

/** What is served on one port by TLS and by HTTP/3 tells the clients of the former of the latter (emissary-resources.md 4). */
function advertised(one: IrListener, all: readonly IrListener[], byPort: ReadonlyMap<string, Listener>): IrListener {
  const isPlain = one.quic === true || !one.chains.some(({ tls, serve }) => tls !== undefined && serve.kind === 'http')
  if (isPlain || !all.some(({ quic, port }) => quic === true && port === one.port)) return one
  const written = Number(byPort.get(portKey(one.port, true))?.manifest.annotations[altSvcAnnotation] ?? usualPort)
  return { ...one, altSvcPort: written }
}

/** The chains of HTTP that a Listener's protocols ask for. */
function httpChains(
  stack: ReturnType<typeof protocolStack>,
  listener: Listener,
  hosts: readonly HostNode[],
  report: Report,
  serve: (name: string, hosts: readonly HostNode[]) => string,
): readonly IrChain[] {
  if (!stack.includes('HTTP')) return []
  if (stack.includes('UDP')) {
    // Envoy ends no TLS with client certificates over QUIC.
    const guarded = hosts.filter(({ tls }) => tls?.clientCertificateRequired === true)
    for (const { hostname, ref } of guarded)
      report.notice(listener, `${hostname} (${refText(ref)}) is not served by HTTP/3: it demands client certificates`)
    return tlsChains(
      listener,
      hosts.filter(host => !guarded.some(({ hostname }) => hostname === host.hostname)),
      report,
      (name, taken) => serve(guarded.length === 0 ? name : `${name}|open`, taken),
    )
  }
  return stack.includes('TLS') ? tlsChains(listener, hosts, report, serve) : [cleartext(serve(routeConfigName(listener), hosts))]
}

/** Adds the chains of TCPMappings to those of a port; what a chain is for already, no second one can have. */
function withTcp(own: readonly IrChain[], groups: readonly TcpGroup[], report: Report): readonly IrChain[] {
  const chains = [...own]
  for (const { host, tls, serve, members, port } of groups) {
    const serverNames = host === undefined || host === '*' ? [] : [host]
    const taken = chains.find(
      chain => (chain.tls === undefined) === (tls === undefined) && String(chain.serverNames) === String(serverNames),
    )
    if (taken !== undefined) {
      const by = taken.serve.kind === 'http' ? 'the HTTP of its Listener' : 'TCPMappings of another address'
      const text = `${port} is taken${host === undefined ? '' : ` for ${host}`} by ${by}; choose another port`
      for (const member of members) report.refuse(member, { path: ['spec', 'port'], text })
      continue
    }
    chains.push({ name: `tcp|${host ?? ''}`, serverNames, ...(tls === undefined ? {} : { tls }), serve })
  }
  return chains
}

function cleartext(routeConfig: string): IrChain {
  return { name: 'cleartext', serverNames: [], serve: { kind: 'http', routeConfig } }
}

/**
 * One chain per name with a certificate. A Host that demands client certificates has routes of its own, which no other chain leads to:
 * otherwise a client could ask for another name in the handshake and for this one in the request.
 */
function tlsChains(
  listener: Listener,
  hosts: readonly HostNode[],
  report: Report,
  serve: (name: string, hosts: readonly HostNode[]) => string,
): readonly IrChain[] {
  const byName = new Map<string, HostNode>()
  for (const host of hosts) {
    if (host.tls === undefined) continue
    const first = byName.get(host.hostname)
    if (first === undefined) byName.set(host.hostname, host)
    else if (first.tls?.certificate !== host.tls.certificate)
      report.notice(
        listener,
        `TLS for ${host.hostname} is that of ${refText(first.ref)}, not of ${refText(host.ref)}, which has the same hostname`,
      )
  }
  const guarded = [...byName.values()].filter(host => host.tls?.clientCertificateRequired === true).map(host => host.hostname)
  const open = hosts.filter(host => !guarded.includes(host.hostname))
  const base = routeConfigName(listener)
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([hostname, host]): readonly IrChain[] => {
      if (host.tls === undefined) return []
      if (hostname.endsWith('.*')) {
        report.notice(listener, `TLS for ${hostname} (${refText(host.ref)}) is not served: in a handshake only the first label may be "*"`)
        return []
      }
      const routeConfig = guarded.includes(hostname)
        ? serve(
            `${base}|sni:${hostname}`,
            hosts.filter(one => one.hostname === hostname),
          )
        : serve(guarded.length === 0 ? base : `${base}|open`, open)
      return [
        { name: `tls|${hostname}`, serverNames: hostname === '*' ? [] : [hostname], tls: host.tls, serve: { kind: 'http', routeConfig } },
      ]
    })
}

/** Whether a Listener takes a Host: namespace (its own unless ALL) and selector must both fit (emissary-resources.md 4). */
export function takes(listener: Listener, host: HostNode): boolean {
  if (host.synthetic) return true
  const { namespace, selector } = listener.spec.hostBinding
  const everywhere = namespace?.from === 'ALL'
  return (everywhere || host.ref.namespace === listener.manifest.namespace) && (selector === undefined || selects(selector, host.labels))
}

function routeConfigName(listener: Listener): string {
  const { securityModel, hostBinding } = listener.spec
  const scope = hostBinding.namespace?.from === 'ALL' ? 'all' : `namespace:${listener.manifest.namespace}`
  const labels = hostBinding.selector === undefined ? '' : selectorText(hostBinding.selector)
  return ['routes', securityModel, scope, ...(labels === '' ? [] : [labels])].join('|')
}
