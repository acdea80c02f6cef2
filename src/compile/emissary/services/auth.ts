import type { IrAuth, IrAuthCheck, IrRouteFilter } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import type { Manifest } from '../../../manifests/object.ts'
import { commaList } from '../../../model/comma-list.ts'
import { refText } from '../../../model/object-ref.ts'
import { linkerdHeader } from '../linkerd-header.ts'
import { serviceCluster, type ServiceContext } from './service-cluster.ts'

/** On an AuthService: only Mappings that name it are asked about. */
const optInAnnotation = 'isthmus.dev/opt-in'
/** On a Mapping: the AuthServices that are asked about it, `name[.namespace]` with commas between, or `none`. */
const authAnnotation = 'isthmus.dev/auth'

/** Sent whatever `allowed_request_headers` says (emissary-resources.md 7). */
const usualRequestHeaders = [
  'authorization',
  'cookie',
  'from',
  'proxy-authorization',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]
/** Sent on whatever `allowed_authorization_headers` says. */
const usualAnswerHeaders = ['location', 'authorization', 'proxy-authenticate', 'set-cookie', 'www-authenticate']

const defaultTimeoutMs = 5_000
const defaultStatusOnError = 403
/** Of the legacy `allow_request_body`. */
const legacyBody = { maxBytes: 4096, allowPartial: true }

/**
 * The filters of all AuthServices, in the order of namespace and name. One that cannot be used and has no last good version stays as a
 * filter that lets nothing pass: whoever wrote it wants no request to go on unasked.
 * @param declared every AuthService that is meant for this gateway, usable or not
 * @param linkerd whether one that does not say it sends linkerd's header (Module `add_linkerd_headers`)
 */
export function compileAuth(
  services: readonly Checked<'AuthService'>[],
  declared: readonly Manifest[],
  linkerd: boolean,
  context: ServiceContext,
): readonly IrAuth[] {
  const usable = new Map<Manifest, IrAuthCheck>()
  const twins = new Set<string>()
  const seen = new Map<string, Checked<'AuthService'>>()
  for (const service of services) {
    const twin = seen.get(identity(service))
    if (twin !== undefined) {
      const text = `is not asked: ${refText(twin.manifest.ref)} is the same but for auth_service; to spread over both, name there a ServicePool of the two`
      context.report.notice(service, text)
      twins.add(placeOf(service.manifest))
      continue
    }
    seen.set(identity(service), service)
    const check = checkOf(service, linkerd, context)
    if (check !== undefined) usable.set(service.manifest, check)
  }
  const byPlace = new Map(declared.map(manifest => [placeOf(manifest), manifest]))
  for (const { manifest } of services) byPlace.set(placeOf(manifest), manifest)
  const filters = [...byPlace.values()].filter(manifest => !twins.has(placeOf(manifest)))
  for (const manifest of filters)
    if (!usable.has(manifest))
      context.report.notice({ manifest }, 'every request that it has to be asked about is answered 500 until it can be used')
  return filters
    .map(manifest => ({
      filter: `auth ${placeOf(manifest)}`,
      check: usable.get(manifest),
      optIn: manifest.annotations[optInAnnotation] === 'true',
      origin: manifest.ref,
    }))
    .sort((a, b) => (a.filter < b.filter ? -1 : 1))
}

function placeOf({ namespace, name }: Pick<Manifest, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}

/** All but the service itself: Emissary spreads requests over AuthServices that agree on it. */
function identity({ spec, manifest }: Checked<'AuthService'>): string {
  const { auth_service: _service, ambassador_id: _id, ...rest } = spec
  return JSON.stringify([manifest.annotations[optInAnnotation], Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))])
}

function checkOf(service: Checked<'AuthService'>, linkerd: boolean, context: ServiceContext): IrAuthCheck | undefined {
  const { spec } = service
  const protocol = spec.proto ?? 'http'
  const upstream = {
    ...{ field: 'auth_service', text: spec.auth_service, tls: spec.tls, statsName: spec.stats_name },
    ...{ http2: protocol === 'grpc', breakers: spec.circuit_breakers },
  }
  const called = serviceCluster(service, upstream, context)
  if (called === undefined) return undefined
  const { include_body: include } = spec
  const body =
    include !== undefined
      ? { maxBytes: include.max_bytes, allowPartial: include.allow_partial }
      : spec.allow_request_body === true
        ? legacyBody
        : undefined
  return {
    service: called,
    protocol,
    timeoutMs: spec.timeout_ms ?? defaultTimeoutMs,
    pathPrefix: spec.path_prefix ?? '',
    addHeaders: {
      ...(protocol === 'grpc' ? {} : lowerCased(spec.add_auth_headers)),
      ...((spec.add_linkerd_headers ?? linkerd) ? linkerdHeaders(service, context) : {}),
    },
    requestHeaders: union(usualRequestHeaders, spec.allowed_request_headers),
    answerHeaders: union(usualAnswerHeaders, spec.allowed_authorization_headers),
    ...(body === undefined ? {} : { body }),
    statusOnError: spec.status_on_error?.code ?? defaultStatusOnError,
    failOpen: spec.failure_mode_allow ?? false,
  }
}

function lowerCased(given: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
}

function linkerdHeaders({ spec, manifest }: Checked<'AuthService'>, { namespace }: ServiceContext): Readonly<Record<string, string>> {
  const headers = linkerdHeader(spec.auth_service, namespace ?? manifest.namespace)
  return Object.fromEntries(headers.map(({ name, value }) => [name, value]))
}

function union(usual: readonly string[], more: readonly string[] = []): readonly string[] {
  return [...new Set([...usual, ...more.map(name => name.toLowerCase())])].sort()
}

/** What a Mapping says to the auth filters. */
export interface RouteAuth {
  readonly filters: readonly IrRouteFilter[]
  /** A sentence on what is wrong with the annotation. */
  readonly problem?: string
}

/** `bypass_auth`, `auth_context_extensions` and the annotation of a Mapping (emissary-resources.md 1.3, 7; opt-in: emissary#5291, #216). */
export function routeAuth({ spec, manifest }: Checked<'Mapping'>, auth: readonly IrAuth[]): RouteAuth {
  const named = manifest.annotations[authAnnotation]
  const chosen = chosenFilters(named, manifest.namespace, auth)
  if (typeof chosen === 'string') return { filters: [], problem: chosen }
  const context = spec.auth_context_extensions ?? {}
  const filters = auth.flatMap(({ filter, optIn }): readonly IrRouteFilter[] => {
    const asked = spec.bypass_auth !== true && (chosen?.has(filter) ?? !optIn)
    if (!asked) return optIn ? [] : [{ filter, kind: 'off' }]
    return optIn || Object.keys(context).length > 0 ? [{ filter, kind: 'auth', context }] : []
  })
  return { filters }
}

/** Routes that answer by themselves ask nobody. */
export function authOff(auth: readonly IrAuth[]): readonly IrRouteFilter[] {
  return auth.filter(({ optIn }) => !optIn).map(({ filter }) => ({ filter, kind: 'off' }))
}

function chosenFilters(
  annotation: string | undefined,
  namespace: string,
  auth: readonly IrAuth[],
): ReadonlySet<string> | string | undefined {
  if (annotation === undefined) return undefined
  const chosen = new Set<string>()
  for (const name of commaList(annotation)) {
    if (name === 'none') continue
    const dot = name.lastIndexOf('.')
    const place = dot > 0 ? `${name.slice(dot + 1)}/${name.slice(0, dot)}` : `${namespace}/${name}`
    const found = auth.find(one => one.filter === `auth ${place}`)
    if (found === undefined) return `there is no AuthService ${place}; write name or name.namespace of one, or none`
    chosen.add(found.filter)
  }
  return chosen
}
