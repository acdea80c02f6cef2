import type { IrAnswer } from '../../../ir/route-action.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import type { MappingSpec } from '../../../manifests/schema/mapping.ts'
import type { Report } from '../report.ts'
import type { Module } from './module.ts'

/** A route that the Module asks for, as a Mapping of the Module's; with an `answer`, Envoy gives it itself. */
export interface Probe {
  readonly mapping: Checked<'Mapping'>
  readonly answer?: IrAnswer
}

const probes = {
  liveness_probe: '/ambassador/v0/check_alive',
  readiness_probe: '/ambassador/v0/check_ready',
} as const
const diagnosticsPrefix = '/ambassador/v0/'
const timeoutMs = 10_000
/** Before whatever users write. */
const precedence = 1_000_000
/** Of the admin API, unless the settings say otherwise. */
const usualAdminPort = 8877

/**
 * The routes of `liveness_probe`, `readiness_probe` and `diagnostics` (emissary-resources.md 6). They are made when they are asked for:
 * they take paths from every application. A probe without a service is answered by Envoy, which is what asks about it want to know,
 * whether the control plane runs or not.
 */
export function moduleProbes({ object, config }: Module, adminPort = usualAdminPort): readonly Probe[] {
  if (object === undefined) return []
  const made = (key: string, spec: MappingSpec): Checked<'Mapping'> => ({
    kind: 'Mapping',
    manifest: object.manifest,
    at: ['spec', 'config', key],
    spec: { hostname: '*', precedence, timeout_ms: timeoutMs, bypass_auth: true, ...spec },
  })
  const answered = (['liveness_probe', 'readiness_probe'] as const).flatMap((key): readonly Probe[] => {
    const probe = config[key]
    if (probe === undefined || probe.enabled === false) return []
    const { prefix = probes[key], rewrite = probes[key], service } = probe
    return service === undefined
      ? [{ mapping: made(key, { prefix, service: 'envoy' }), answer: { kind: 'answer', status: 200, body: 'ok\n' } }]
      : [{ mapping: made(key, { prefix, rewrite, service }) }]
  })
  const { enabled, allow_non_local: everybody } = config.diagnostics ?? {}
  if (enabled !== true || everybody !== true) return answered
  const service = `127.0.0.1:${adminPort}`
  return [...answered, { mapping: made('diagnostics', { prefix: diagnosticsPrefix, rewrite: diagnosticsPrefix, service }) }]
}

/** Says of diagnostics that are asked for and cannot be had. */
export function noteDiagnostics({ object, config }: Module, report: Report): void {
  const { enabled, allow_non_local: everybody } = config.diagnostics ?? {}
  if (object === undefined || enabled !== true || everybody === true) return
  report.notice(
    object,
    `spec.config.diagnostics has no effect without allow_non_local: true: the admin API serves them at ${diagnosticsPrefix}diag/, and Envoy cannot tell who is local`,
  )
}
