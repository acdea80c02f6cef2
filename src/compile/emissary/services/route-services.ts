import type { IrHttpServices } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import type { RouteServices } from '../mapping-route.ts'
import type { Report } from '../report.ts'
import { authOff, routeAuth } from './auth.ts'
import { descriptorsOf } from './rate-limits.ts'

/** What a Mapping's routes say to the services that listeners call; what is wrong with it is reported. */
export function routeServices(mapping: Checked<'Mapping'>, { auth, rateLimits }: IrHttpServices, report: Report): RouteServices {
  const { filters, problem } = routeAuth(mapping, auth)
  if (problem !== undefined) report.refuse(mapping, { path: ['metadata', 'annotations', 'isthmus.dev/auth'], text: problem })
  const { descriptors, unserved } = descriptorsOf(mapping.spec.labels, rateLimits)
  for (const domain of unserved)
    report.notice(mapping, `spec.labels.${domain} has no effect: there is no RateLimitService of the domain ${domain}`)
  const off = authOff(auth)
  return {
    ...(filters.length === 0 ? {} : { filters }),
    ...(descriptors.length === 0 ? {} : { descriptors }),
    whenRedirected: off.length === 0 ? {} : { filters: off },
  }
}
