import type { IrErrorOverride } from '../../../ir/http-options.ts'
import type { IrHttpServices } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import type { ModuleConfig } from '../../../manifests/schema/module.ts'
import { refText } from '../../../model/object-ref.ts'
import { errorOverrides } from '../error-overrides.ts'
import type { CompileInput } from '../input.ts'
import type { Lookups } from '../lookups.ts'
import type { Objects } from '../objects.ts'
import type { Report } from '../report.ts'
import type { Resolvers } from '../resolvers.ts'

/** The one Module that counts, as the rest of a compilation asks it. */
export interface Module {
  readonly object: Checked<'Module'> | undefined
  readonly config: ModuleConfig
  /** Some Module says whose addresses may come in, and none of them can be used. */
  readonly closed: boolean
}

/**
 * The Module named `ambassador`; of several the first by namespace counts, every other is refused (emissary-resources.md 6).
 */
export function readModule(objects: Objects, report: Report): Module {
  const [first, ...others] = objects.of('Module')
  for (const other of others) {
    const text = `${first === undefined ? '' : refText(first.manifest.ref)} is there already; one Module counts`
    report.refuse(other, { path: ['metadata', 'name'], text })
  }
  const guards = first === undefined ? objects.written('Module').filter(({ spec }) => saysWho(spec)) : []
  for (const manifest of guards)
    report.notice({ manifest }, 'it says whose addresses may come in: until it can be used nobody may, and every request is answered 403')
  return { object: first, config: first?.spec.config ?? {}, closed: guards.length > 0 }
}

const addressKeys = ['ip_allow', 'ip_deny']

/** Of a spec that may be anything. */
function saysWho(spec: unknown): boolean {
  const config = (spec as { config?: unknown } | null)?.config
  return typeof config === 'object' && config !== null && addressKeys.some(key => Object.hasOwn(config, key))
}

/** The Module's resolver for what names none; one that cannot be found refuses the Module. */
export function setResolver({ object, config }: Module, resolvers: Resolvers, report: Report): void {
  if (object === undefined || config.resolver === undefined) return
  const problem = resolvers.setDefault(config.resolver, object.manifest.namespace)
  if (problem !== undefined) report.refuse(object, { path: ['spec', 'config', 'resolver'], text: problem })
}

/** The namespace of the gateway, if names of services without one are looked for there. */
export function fixedNamespace({ config }: Module, { environment = {} }: Pick<CompileInput, 'environment'>): string | undefined {
  if (config.use_ambassador_namespace_for_service_resolution !== true) return undefined
  return environment['AMBASSADOR_NAMESPACE'] ?? 'default'
}

/** What the Module answers in the place of errors; a file that cannot be read refuses it. */
export function moduleErrors({ object, config }: Module, lookups: Pick<Lookups, 'readFile'>, report: Report): readonly IrErrorOverride[] {
  const overrides = errorOverrides(config.error_response_overrides, ['spec', 'config', 'error_response_overrides'], lookups)
  if (!('path' in overrides)) return overrides
  if (object !== undefined) report.refuse(object, overrides)
  return []
}

/** Names the domains of default labels that no RateLimitService has. */
export function noteLabels({ object, config }: Module, { rateLimits }: IrHttpServices, report: Report): void {
  for (const domain of Object.keys(config.default_labels ?? {}))
    if (object !== undefined && !rateLimits.some(service => service.domain === domain))
      report.notice(object, `spec.config.default_labels.${domain} has no effect: there is no RateLimitService of the domain ${domain}`)
}
