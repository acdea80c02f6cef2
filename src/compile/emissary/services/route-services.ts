import type { IrHttpServices } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import type { MappingSpec } from '../../../manifests/schema/mapping.ts'
import type { RouteServices } from '../mapping-route.ts'
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
  { auth, rateLimits }: IrHttpServices,
  report: Report,
): RouteServices {
  const { filters, problem } = routeAuth(mapping, auth)
  if (problem !== undefined) report.refuse(mapping, { path: ['metadata', 'annotations', 'isthmus.dev/auth'], text: problem })
  const { descriptors, unserved } = descriptorsOf(labels, rateLimits)
  for (const domain of unserved.filter(domain => mapping.spec.labels?.[domain] !== undefined))
    report.notice(mapping, `spec.labels.${domain} has no effect: there is no RateLimitService of the domain ${domain}`)
  const off = authOff(auth)
  return {
    ...(filters.length === 0 ? {} : { filters }),
    ...(descriptors.length === 0 ? {} : { descriptors }),
    whenRedirected: off.length === 0 ? {} : { filters: off },
  }
}
