import type { IrHttpOptions } from '../../../ir/http-options.ts'
import { commonErrorsFilter, errorsFilter, type IrHttpServices, type IrRouteFilter, localLimitFilter } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import { durationMs } from '../../../manifests/check-values.ts'
import { readLocalRateLimit } from '../../../manifests/local-rate-limit.ts'
import type { MappingSpec } from '../../../manifests/schema/mapping.ts'
import type { RouteServices } from '../mapping-route.ts'
import type { Lookups } from '../lookups.ts'
import { errorOverrides } from '../error-overrides.ts'
import type { Report } from '../report.ts'
import { authOff, routeAuth } from './auth.ts'
import { descriptorsOf } from './rate-limits.ts'

/**
 * What a Mapping's routes say to the services that listeners call; what is wrong with it is reported.
 * @param mapping as it was written
 * @param labels its own and the Module's
 */
export function routeServices(
  mapping: Checked<'Mapping'>,
  labels: MappingSpec['labels'],
  { http, report, lookups }: { readonly http: IrHttpServices; readonly report: Report; readonly lookups: Pick<Lookups, 'readFile'> },
): RouteServices {
  const { auth, rateLimits, options } = http
  const { filters: asked, problem } = routeAuth(mapping, auth)
  if (problem !== undefined) report.refuse(mapping, { path: ['metadata', 'annotations', 'isthmus.dev/auth'], text: problem })
  const { descriptors, unserved } = descriptorsOf(labels, rateLimits)
  for (const domain of unserved.filter(domain => mapping.spec.labels?.[domain] !== undefined))
    report.notice(mapping, `spec.labels.${domain} has no effect: there is no RateLimitService of the domain ${domain}`)
  const off = authOff(auth)
  const filters = [...asked, ...localLimit(mapping, report), ...errors(mapping, options, report, lookups)]
  return {
    ...(filters.length === 0 ? {} : { filters }),
    ...(descriptors.length === 0 ? {} : { descriptors }),
    whenRedirected: off.length === 0 ? {} : { filters: off },
  }
}

const tooManyRequests = 429

/** The limit that a Mapping sets in each Envoy by an annotation. */
function localLimit(mapping: Checked<'Mapping'>, report: Report): readonly IrRouteFilter[] {
  const read = readLocalRateLimit(mapping.manifest.annotations)
  if (read === undefined) return []
  if ('problems' in read) {
    for (const problem of read.problems) report.refuse(mapping, problem)
    return []
  }
  const { requests, per = '1s', burst = requests, status = tooManyRequests, per_connection: perConnection = false } = read.limit
  return [{ filter: localLimitFilter, kind: 'local-limit', limit: { requests, intervalMs: durationMs(per), burst, status, perConnection } }]
}

/** A Mapping's list of answers to errors replaces the Module's (emissary-resources.md 11, "Error overrides"). */
function errors(
  { spec, ...mapping }: Checked<'Mapping'>,
  { errors: common = [] }: IrHttpOptions,
  report: Report,
  lookups: Pick<Lookups, 'readFile'>,
): readonly IrRouteFilter[] {
  const off: readonly IrRouteFilter[] = common.length === 0 ? [] : [{ filter: commonErrorsFilter, kind: 'off' }]
  if (spec.bypass_error_response_overrides === true) return off
  if (spec.error_response_overrides === undefined) return []
  const overrides = errorOverrides(spec.error_response_overrides, ['spec', 'error_response_overrides'], lookups)
  if ('path' in overrides) {
    report.refuse({ spec, ...mapping }, overrides)
    return []
  }
  return [...off, { filter: errorsFilter, kind: 'errors', overrides }]
}
