import type { IrErrorOverride } from '../../../ir/http-options.ts'
import type { IrHttpServices } from '../../../ir/http-services.ts'
import { httpOptions } from '../module/http-options.ts'
import type { Module } from '../module/module.ts'
import type { Objects } from '../objects.ts'
import { compileAuth } from './auth.ts'
import { compileLogs } from './logs.ts'
import { compileRateLimits } from './rate-limits.ts'
import type { ServiceContext } from './service-cluster.ts'
import { compileTracing } from './tracing.ts'

/**
 * What all HTTP listeners do with requests.
 */
export function compileHttpServices(
  objects: Objects,
  module: Module,
  errors: readonly IrErrorOverride[],
  context: ServiceContext,
): IrHttpServices {
  const tracing = compileTracing(objects.of('TracingService'), context)
  return {
    auth: compileAuth(objects.of('AuthService'), objects.written('AuthService'), module.config.add_linkerd_headers ?? false, context),
    rateLimits: compileRateLimits(objects.of('RateLimitService'), module.config.default_label_domain ?? 'ambassador', context),
    logs: compileLogs(objects.of('LogService'), context),
    ...(tracing === undefined ? {} : { tracing }),
    options: httpOptions(module, errors),
    ...(module.object === undefined ? {} : { optionsOrigin: module.object.manifest.ref }),
  }
}
