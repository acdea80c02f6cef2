import type { IrErrorOverride } from '../../../ir/http-options.ts'
import type { IrHttpServices } from '../../../ir/http-services.ts'
import type { Checked, CheckedObject } from '../../../manifests/checked-object.ts'
import type { Manifest } from '../../../manifests/object.ts'
import { httpOptions } from '../module/http-options.ts'
import type { Module } from '../module/module.ts'
import { compileAuth } from './auth.ts'
import { compileLogs } from './logs.ts'
import { compileRateLimits } from './rate-limits.ts'
import type { ServiceContext } from './service-cluster.ts'
import { compileTracing } from './tracing.ts'

/**
 * What all HTTP listeners do with requests.
 * @param objects those that serve, sorted
 * @param declared every object that is meant for this gateway, usable or not
 */
export function compileHttpServices(
  objects: readonly CheckedObject[],
  declared: readonly Manifest[],
  module: Module,
  errors: readonly IrErrorOverride[],
  context: ServiceContext,
): IrHttpServices {
  const ofKind = <Kind extends CheckedObject['kind']>(kind: Kind) =>
    objects.filter((object): object is Checked<Kind> & CheckedObject => object.kind === kind)
  const tracing = compileTracing(ofKind('TracingService'), context)
  return {
    auth: compileAuth(
      ofKind('AuthService'),
      declared.filter(({ kind }) => kind === 'AuthService'),
      module.config.add_linkerd_headers ?? false,
      context,
    ),
    rateLimits: compileRateLimits(ofKind('RateLimitService'), module.config.default_label_domain ?? 'ambassador', context),
    logs: compileLogs(ofKind('LogService'), context),
    ...(tracing === undefined ? {} : { tracing }),
    options: httpOptions(module, errors),
  }
}
