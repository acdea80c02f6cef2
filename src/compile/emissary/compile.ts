import type { IrHttpServices } from '../../ir/http-services.ts'
import { clustersOfRoutes } from '../../ir/clusters-of-routes.ts'
import type { IrCluster, IrTermination, RouteTable } from '../../ir/route-table.ts'
import type { Checked, CheckedObject, Finding } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'
import { refText } from '../../model/object-ref.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import { finish, type Steps } from '../../model/steps.ts'
import { expandIngresses } from '../ingress/ingresses.ts'
import { type CompiledPool, compilePools } from '../pools/pools.ts'
import { mergeClusters } from './clusters.ts'
import { CompileMemo } from './compile-memo.ts'
import { grpcNames } from './grpc-names.ts'
import { covers } from './host-glob.ts'
import { Adoption, hostNode, type HostNode, syntheticHost } from './hosts.ts'
import type { CompileInput, CompileObject, CompileResult, Verdict } from './input.ts'
import { compileListeners, takes } from './listeners.ts'
import { Lookups } from './lookups.ts'
import type { MappingRoute } from './mapping-route.ts'
import { withMesh } from './mesh.ts'
import { noteCovered } from './note-covered.ts'
import { compare } from './order.ts'
import { readMappings, type Source } from './read-mapping.ts'
import type { UpstreamContext } from './read-upstream.ts'
import { Report } from './report.ts'
import { Resolvers } from './resolvers.ts'
import { withSecretNamespacing } from './module/mapping-defaults.ts'
import { fixedNamespace, type Module, moduleErrors, noteLabels, readModule, setResolver } from './module/module.ts'
import { moduleProbes, noteDiagnostics } from './module/probes.ts'
import { selects } from './selector.ts'
import { compileHttpServices } from './services/http-services.ts'
import { Objects } from './objects.ts'
import { Originations } from './tls/origination.ts'
import { Secrets } from './tls/secrets.ts'
import { contextTermination, fallbackTermination, noteContexts, terminationOf } from './tls/termination.ts'
import { compileTcpMappings } from './tcp-mappings.ts'

/**
 * Compiles the objects of `getambassador.io` into the RouteTable (emissary-resources.md). Pure and total: an object that is refused is
 * replaced by its last good version, or left out, and the rest is compiled without it; nothing throws. In a group whose weights add up to
 * over 100 every member is refused, so the last good versions of all keep the last good split, and a member that has none is left out.
 */
export function compile(input: CompileInput, memo?: CompileMemo): CompileResult {
  return finish(compileSteps(input, memo))
}

/** The same, cut into steps. What `input` reads may change meanwhile: whoever changes it compiles again. */
export function* compileSteps(input: CompileInput, memo = new CompileMemo()): Steps<CompileResult> {
  const objects = [...input.objects].sort((a, b) => compare(a.id, b.id))
  const serving = new Map<string, CheckedObject>()
  for (const object of objects) {
    const version = object.current ?? object.lastGood
    if (version !== undefined) serving.set(object.id, version)
  }
  const lookups = new Lookups(input, new Set([...serving.values()].map(object => object.manifest.namespace)))
  const problems = new Map<string, readonly Finding[]>()
  for (;;) {
    const pass = yield* compileOnce([...serving.values()], input, lookups, memo)
    if (pass.report.refused.size + pass.report.refusedGroups.length === 0) {
      memo.endRound()
      return result(objects, serving, problems, pass, lookups)
    }
    replaceRefused(objects, serving, problems, pass.report)
  }
}

/**
 * Puts last good versions in the place of refused ones. Every call makes at least one object go from current to last good to gone, so
 * the passes end; nearly always after the second.
 */
function replaceRefused(
  objects: readonly CompileObject[],
  serving: Map<string, CheckedObject>,
  problems: Map<string, readonly Finding[]>,
  report: Report,
): void {
  const lastGood = new Map(objects.map(object => [object.id, object.lastGood]))
  const changed = (id: string) => lastGood.get(id) !== serving.get(id)
  const fallBack = (id: string, finding: readonly Finding[]) => {
    // The reason of the version as it stands is the one to show.
    if (!problems.has(id)) problems.set(id, finding)
    const good = lastGood.get(id)
    if (good === undefined || good === serving.get(id)) serving.delete(id)
    else serving.set(id, good)
  }
  for (const [id, findings] of report.refused) fallBack(id, findings)
  for (const group of report.refusedGroups) {
    const someChanged = group.some(member => changed(member.id))
    for (const { id, finding } of group) {
      // An unchanged member keeps its share beside the last good versions of the others.
      if (someChanged && serving.has(id) && !changed(id)) problems.set(id, problems.get(id) ?? [finding])
      else if (serving.has(id)) fallBack(id, [finding])
    }
  }
}

/** Where Emissary's fallback certificate is looked for. */
const fallbackNamespace = 'default'

interface Pass {
  readonly table: RouteTable
  readonly report: Report
  readonly resolvers: Resolvers
  readonly routes: readonly MappingRoute[]
  readonly pools: ReadonlyMap<ServiceKey, CompiledPool>
  readonly secrets: ReadonlySet<string>
  readonly warnings: readonly string[]
}

function* compileOnce(objects: readonly CheckedObject[], input: CompileInput, lookups: Lookups, memo: CompileMemo): Steps<Pass> {
  const report = new Report()
  const strict = !/^(true|1)$/i.test(input.environment?.['DISABLE_STRICT_LABEL_SELECTORS'] ?? '')
  const resolvers = new Resolvers(objects, input)
  for (const object of objects) for (const finding of resolvers.check(object)) report.refuse(object, finding)
  const all = new Objects(
    objects,
    input.objects.map(({ manifest }) => manifest),
  )
  const module = readModule(all, report)
  setResolver(module, resolvers, report)
  const pools = compilePools(all.of('ServicePool'), input.sources, lookups, report)
  lookups.declare(pools)
  const secrets = Secrets.of(all)
  const contexts = all.of('TLSContext').map(context => withSecretNamespacing(context, module.config))
  const originations = new Originations(contexts, secrets, report)
  const upstreams: UpstreamContext = { resolvers, lookups, pools, report, originations, namespace: fixedNamespace(module, input) }
  const listeners = all.of('Listener')
  const declared = all.of('Host')
  const base = input.hostsDeclared ? declared.map(host => hostNode(host)) : [syntheticHost]
  const covered = (hostname: string, { labels }: Manifest) =>
    base.some(host => covers(host.hostname, hostname) && (host.selector === undefined || selects(host.selector, labels)))
  const ingress = expandIngresses(all.of('Ingress'), all.of('IngressClass'), covered, report, memo.sources)
  const serviceClusters: IrCluster[] = []
  const http = compileHttpServices(all, module, moduleErrors(module, lookups, report), {
    ...upstreams,
    clusters: serviceClusters,
  })
  noteLabels(module, http, report)
  noteDiagnostics(module, report)
  const mappings: readonly Source[] = [
    ...all.of('Mapping').map(mapping => ({ mapping })),
    ...ingress.mappings,
    ...probesOf(module, input.adminPort, memo.sources),
  ]
  const context = { ...upstreams, config: module.config, http, secrets }
  const routes = yield* readMappings(mappings, context, surroundings(all, http, input, memo.surroundings), memo.mappings)
  const terminate = (host: Checked<'Host'>) => hostNode(host, readTermination(host, contexts, secrets, report))
  const hostObjects = [...declared, ...ingress.hosts]
  const nodes = hostObjects.map(terminate)
  const hosts = input.hostsDeclared ? nodes : [{ ...syntheticHost, tls: fallbackTermination(fallbackNamespace, secrets) }, ...nodes]
  const tcpClusters: IrCluster[] = []
  const contextOf = (host: string) => contextTermination(host, contexts, secrets)
  const tcp = compileTcpMappings(all.of('TCPMapping'), hosts, contextOf, upstreams, tcpClusters)
  const adoption = new Adoption(hosts, routes, strict)
  const compiled = yield* compileListeners(listeners, {
    hosts,
    adoption,
    tcp,
    bindAddress: (input.environment?.['AMBASSADOR_ENVOY_BIND_ADDRESS'] ?? '') || '0.0.0.0',
    trustedHops: module.config.xff_num_trusted_hops ?? 0,
    report,
    memo: memo.hosts,
  })
  noteContexts(contexts, secrets, report)
  if (input.now !== undefined) for (const [object, text] of secrets.notices(input.now)) report.notice(object, text)
  for (const route of adoption.orphans) report.unserve(route.mapping, orphanText(route, input.hostsDeclared))
  noteHosts(hostObjects, nodes, listeners, report)
  yield* noteCovered(compiled.routeConfigs, routes, report)
  const used = new Set(compiled.listeners.length === 0 ? [] : serviceClusters.map(cluster => cluster.name))
  for (const { chains } of compiled.listeners)
    for (const { serve } of chains) if (serve.kind === 'tcp') for (const { cluster } of serve.clusters) used.add(cluster)
  for (const { virtualHosts } of compiled.routeConfigs)
    for (const host of virtualHosts) for (const name of clustersOfRoutes(host.routes)) used.add(name)
  yield
  const needed = [...routes.flatMap(route => route.cluster ?? []), ...serviceClusters, ...tcpClusters]
  const clusters = mergeClusters(needed, memo.clusters).filter(cluster => used.has(cluster.name))
  const mesh = withMesh(clusters, input)
  const warnings =
    listeners.length === 0 ? ['there is no Listener that can be served: nothing listens; write a Listener with protocol HTTP'] : []
  return {
    table: Object.freeze({
      ...compiled,
      clusters: mesh.clusters,
      http: withErrors(http, routes),
      secrets: [...secrets.used, ...mesh.secrets],
    }),
    report,
    resolvers,
    routes,
    pools,
    secrets: secrets.asked,
    warnings,
  }
}

/** Kinds that no Mapping is read with. */
const beside: ReadonlySet<string> = new Set(['Mapping', 'TCPMapping', 'Host', 'Listener', 'Ingress', 'IngressClass'])

/** Stands for all that Mappings are read with, but for what is looked up. */
function surroundings(objects: Objects, http: IrHttpServices, input: CompileInput, memo: CompileMemo['surroundings']): object {
  const { environment, consulSources, sources } = input
  // Services are objects, too, but whether they can be called depends on more than them.
  const madeOf = [...objects.except(beside), environment, JSON.stringify([http, consulSources, sources])]
  return memo.find('all', madeOf) ?? memo.keep('all', madeOf, {})
}

function probesOf(module: Module, adminPort: number | undefined, memo: CompileMemo['sources']): readonly Source[] {
  const { object } = module
  if (object === undefined) return []
  return memo.find(object, [adminPort]) ?? memo.keep(object, [adminPort], moduleProbes(module, adminPort))
}

/**
 * Listeners have the filter for routes' own answers to errors only while a route has some: Envoy calls it unfinished, and warns of every
 * listener that has it.
 */
function withErrors(http: IrHttpServices, routes: readonly MappingRoute[]): IrHttpServices {
  const some = routes.some(({ services }) => services?.filters?.some(({ kind }) => kind === 'errors') === true)
  return some ? { ...http, options: { ...http.options, errorsOfRoutes: true } } : http
}

/** A Host whose TLS cannot be served says so, and is served in cleartext as its requestPolicy says: that is how certificates are got. */
function readTermination(
  host: Checked<'Host'>,
  contexts: readonly Checked<'TLSContext'>[],
  secrets: Secrets,
  report: Report,
): IrTermination | undefined {
  const termination = terminationOf(host, contexts, secrets)
  if (termination === undefined || !('problem' in termination)) return termination
  report.unserve(host, `TLS for ${host.spec.hostname ?? '*'} is not served: ${termination.problem}`)
  return undefined
}

function noteHosts(
  objects: readonly Checked<'Host'>[],
  nodes: readonly HostNode[],
  listeners: readonly Checked<'Listener'>[],
  report: Report,
): void {
  for (const [index, host] of objects.entries()) {
    const node = nodes[index]
    if (node === undefined) continue
    const first = nodes.findIndex(one => one.hostname === node.hostname)
    if (nodes[first]?.insecureAction !== node.insecureAction)
      report.notice(
        host,
        `${refText(nodes[first]?.ref ?? node.ref)} has the same hostname: where one Listener takes both, its requestPolicy counts, not that of this one`,
      )
    if (!listeners.some(listener => takes(listener, node)))
      report.unserve(host, 'no Listener takes this Host (hostBinding): it is not served')
  }
}

function orphanText(route: MappingRoute, hostsDeclared: boolean): string {
  if (route.hostname === undefined && route.hostRegex === undefined)
    return 'no Host takes this Mapping: set spec.hostname ("*" for every host), or label it for the mappingSelector of a Host'
  return hostsDeclared
    ? `no Host takes this Mapping: none fits hostname ${route.hostname ?? ''} and its labels`
    : 'no Host takes this Mapping'
}

function result(
  objects: readonly CompileObject[],
  serving: ReadonlyMap<string, CheckedObject>,
  problems: ReadonlyMap<string, readonly Finding[]>,
  pass: Pass,
  lookups: Lookups,
): CompileResult {
  const verdicts = new Map<string, Verdict>()
  for (const { id, current } of objects) {
    const used = serving.get(id)
    const served = used === undefined ? 'none' : used === current && !problems.has(id) ? 'current' : 'lastGood'
    verdicts.set(id, verdictOf(id, served, problems.get(id), pass.report))
  }
  return {
    table: pass.table,
    verdicts,
    lookups: { services: lookups.services, namespaces: lookups.namespaces },
    pools: [...pass.pools.values()].map(pool => pool.rule),
    consulRequests: pass.resolvers.requests(),
    secrets: pass.secrets,
    grpc: grpcNames(pass.routes, lookups),
    warnings: pass.warnings,
  }
}

/** Of nearly all objects. */
const allWell: Verdict = Object.freeze({ problems: Object.freeze([]), notices: Object.freeze([]), served: 'current' })

function verdictOf(id: string, served: Verdict['served'], problems: readonly Finding[] | undefined, report: Report): Verdict {
  const [notices, ignored, unserved] = [report.notices.get(id), report.ignored.get(id), report.unserved.get(id)]
  if (served === 'current' && (problems ?? notices ?? ignored ?? unserved) === undefined) return allWell
  return {
    problems: problems ?? [],
    notices: [...(notices ?? [])],
    served,
    ...(ignored === undefined ? {} : { ignored }),
    ...(unserved === undefined ? {} : { unserved }),
  }
}
