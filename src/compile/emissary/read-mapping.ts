import type { IrHttpServices } from '../../ir/http-services.ts'
import type { IrMatch } from '../../ir/route-table.ts'
import type { Checked, CheckedObject } from '../../manifests/checked-object.ts'
import type { ModuleConfig } from '../../manifests/schema/module.ts'
import type { Memo } from '../../model/memo.ts'
import type { Steps } from '../../model/steps.ts'
import { optionNotices } from './cluster-options.ts'
import { mappingCluster } from './clusters.ts'
import { linkerdHeader } from './linkerd-header.ts'
import type { Answer } from './lookups.ts'
import { type MappingRoute, mappingRoute } from './mapping-route.ts'
import { headerCase } from './module/http-options.ts'
import { groupDefaults, withDefaults } from './module/mapping-defaults.ts'
import type { Probe } from './module/probes.ts'
import { readUpstream, type UpstreamContext } from './read-upstream.ts'
import { Report } from './report.ts'
import { redirectOf } from './route-options.ts'
import { routeServices } from './services/route-services.ts'
import type { Secrets } from './tls/secrets.ts'

/** What routes are made of. */
export interface Source extends Probe {
  /** How the path is matched, where a Mapping has no words for it. */
  readonly path?: IrMatch['path'] | undefined
}

/** What reading a Mapping needs to know beside itself, and where that goes which it finds out. */
export interface MappingContext extends UpstreamContext {
  readonly config: ModuleConfig
  readonly http: IrHttpServices
  readonly secrets: Secrets
}

/** What one Mapping means by itself, and all that was found out on the way. */
export interface ReadMapping {
  readonly routes: readonly MappingRoute[]
  readonly answers: readonly Answer[]
  readonly report: Report | undefined
  readonly secrets: Secrets | undefined
}

/**
 * Reads Mappings, each apart from the others, so that what one means is read again only when it changed, or what it was read with.
 * @param surroundings stands for all of the context but what is looked up: the same object only while that is equal
 */
export function* readMappings(
  sources: readonly Source[],
  context: MappingContext,
  surroundings: object,
  memo: Memo<CheckedObject, ReadMapping>,
): Steps<readonly MappingRoute[]> {
  const routes: MappingRoute[] = []
  for (const source of sources) {
    yield
    const madeOf = [surroundings, source.path, source.answer]
    const known = memo.find(source.mapping, madeOf)
    const read =
      known !== undefined && context.lookups.agrees(known.answers) ? known : memo.keep(source.mapping, madeOf, readApart(source, context))
    context.lookups.include(read.answers)
    if (read.report !== undefined) context.report.include(read.report)
    if (read.secrets !== undefined) context.secrets.include(read.secrets)
    routes.push(...read.routes)
  }
  return routes
}

function readApart(source: Source, context: MappingContext): ReadMapping {
  const answers: Answer[] = []
  const [report, secrets] = [new Report(), context.secrets.apart()]
  const lookups = context.lookups.apart(answers)
  const routes = routesOf(source, { ...context, report, secrets, lookups, originations: context.originations.apart(secrets, report) })
  return { routes, answers, report: report.isEmpty ? undefined : report, secrets: secrets.isEmpty ? undefined : secrets }
}

function routesOf({ mapping, path, answer }: Source, context: MappingContext): readonly MappingRoute[] {
  const read = answer === undefined ? readMapping(mapping, path, context) : [mappingRoute(mapping, { answer })]
  return read.map(route => ({
    ...route,
    groupDefaults: groupDefaults(context.config),
    ...linkerdOf(route.mapping, context),
    services: routeServices(mapping, route.mapping.spec.labels, context),
  }))
}

function linkerdOf({ spec, manifest }: Checked<'Mapping'>, { namespace }: MappingContext): Pick<MappingRoute, 'linkerd'> {
  return spec.add_linkerd_headers === true ? { linkerd: linkerdHeader(spec.service, namespace ?? manifest.namespace) } : {}
}

function readMapping(given: Checked<'Mapping'>, path: IrMatch['path'] | undefined, context: MappingContext): readonly MappingRoute[] {
  const { config } = context
  const mapping = withDefaults(given, config)
  const { service, resolver, tls, host_rewrite: hostRewrite, host_redirect: redirects } = mapping.spec
  if (redirects === true && mapping.spec.shadow !== true) {
    const redirect = redirectOf(mapping)
    if (typeof redirect !== 'string') return [mappingRoute(mapping, { redirect }, path)]
    context.report.refuse(mapping, { path: ['spec', 'service'], text: redirect })
    return []
  }
  const read = readUpstream(mapping, { field: 'service', service, resolver, tls, hostRewrite }, context)
  if (read === undefined) return []
  const { upstream } = read
  for (const text of optionNotices(given.spec, upstream.kind)) context.report.notice(mapping, text)
  return [mappingRoute(mapping, { cluster: mappingCluster(mapping, upstream, read.tls, headerCase(config)) }, path)]
}
