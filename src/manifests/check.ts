import { didYouMean } from '../model/nearest.ts'
import { checkHost } from './check-host.ts'
import { checkIngress, checkIngressClass } from './check-ingress.ts'
import { checkListener } from './check-listener.ts'
import { checkMapping } from './check-mapping.ts'
import { checkModule } from './check-module.ts'
import { checkAuthService, checkLogService, checkRateLimitService, checkTracingService } from './check-services.ts'
import { checkSchema } from './check-schema.ts'
import { checkSecret } from './check-secret.ts'
import { checkTcpMapping } from './check-tcp-mapping.ts'
import { checkTlsContext } from './check-tls.ts'
import { checkServicePool } from './check-service-pool.ts'
import type { Checked, CheckedObject, Finding, KindFindings } from './checked-object.ts'
import { pathText } from './field-path.ts'
import { apiOf, emissaryApi, isServedKind, inertKinds, ownKinds, schemaKinds, type ServedKind, servedSchemas } from './kinds.ts'
import type { Manifest } from './object.ts'
import type { FieldProblem, ObjectStatus } from './status.ts'

/** What became of an object on its own, and the object for compile if it is accepted. */
export interface CheckResult {
  readonly status: Omit<ObjectStatus, 'lastGood'>
  readonly object?: CheckedObject
}

/**
 * Checks one object by itself: API version, kind, whose it is, schema, rules of its kind. Pure.
 * @param ambassadorIds names under which this gateway takes objects
 */
export function checkManifest(manifest: Manifest, ambassadorIds: readonly string[]): CheckResult {
  const { apiVersion, kind } = manifest
  const [group = ''] = apiVersion.split('/')
  if (isServedKind(kind) && apiVersion === apiOf(kind) && apiVersion !== emissaryApi) {
    const others = foreign({ ambassador_id: idAnnotation(manifest) }, ambassadorIds)
    return others === undefined ? checkServed(manifest, kind) : foreignTo(manifest, others)
  }
  if (group !== 'getambassador.io' && group !== 'x.getambassador.io' && group !== 'isthmus.dev')
    return ignored(manifest, [`objects of ${apiVersion} are not read`])
  if (group === 'isthmus.dev' || (!isServedKind(kind) && !Object.hasOwn(inertKinds, kind))) return unknownKind(manifest)
  if (apiVersion !== emissaryApi)
    return refused(manifest, [{ path: ['apiVersion'], text: `${apiVersion} is not read; convert the object to ${emissaryApi}` }])
  const others = foreign(manifest.spec, ambassadorIds)
  if (others !== undefined) return foreignTo(manifest, others)
  if (!isServedKind(kind)) return ignored(manifest, [inertKinds[kind] ?? 'has no effect'])
  return checkServed(manifest, kind)
}

function checkServed(manifest: Manifest, kind: CheckedObject['kind']): CheckResult {
  const { problems, notices } = checkSchema(servedSchemas[kind], manifest.spec, ['spec'])
  if (problems.length > 0) return refused(manifest, problems)
  // The walk above proved that the spec has the type of its kind's schema.
  const object = { kind, manifest, spec: manifest.spec } as CheckedObject
  const rules = findingsOf(object)
  if (rules.problems.length > 0) return refused(manifest, rules.problems)
  if (rules.notServed !== undefined) return ignored(manifest, [rules.notServed, ...rules.notices])
  return { object, status: { ...base(manifest), state: 'accepted', notices: [...notices, ...rules.notices] } }
}

type Rules<Kind extends ServedKind> = (spec: Checked<Kind>['spec'], manifest: Manifest) => KindFindings

const noRules = (): KindFindings => ({ problems: [], notices: [] })

/** What a schema cannot say of an object of each kind. */
const kindRules: { readonly [Kind in ServedKind]: Rules<Kind> } = {
  Mapping: checkMapping,
  Listener: checkListener,
  Host: checkHost,
  Module: checkModule,
  TCPMapping: checkTcpMapping,
  TLSContext: checkTlsContext,
  Secret: checkSecret,
  AuthService: checkAuthService,
  RateLimitService: checkRateLimitService,
  LogService: checkLogService,
  TracingService: checkTracingService,
  Ingress: checkIngress,
  IngressClass: checkIngressClass,
  ServicePool: checkServicePool,
  ConsulResolver: noRules,
  KubernetesServiceResolver: noRules,
  KubernetesEndpointResolver: noRules,
}

function findingsOf<Kind extends ServedKind>({ kind, spec, manifest }: Checked<Kind>): KindFindings {
  return kindRules[kind](spec, manifest)
}

/** Whether an object belongs to a gateway that goes by one of these ids. */
export function isFor(manifest: Manifest, ambassadorIds: readonly string[]): boolean {
  const spec = manifest.apiVersion === emissaryApi ? manifest.spec : { ambassador_id: idAnnotation(manifest) }
  return foreign(spec, ambassadorIds) === undefined
}

/** Why the object belongs to another gateway, or undefined if it is ours. A malformed list is left to the schema. */
function foreign(spec: unknown, ambassadorIds: readonly string[]): string | undefined {
  const given = (spec as { ambassador_id?: unknown } | null)?.ambassador_id
  if (given !== undefined && !(Array.isArray(given) && given.every(id => typeof id === 'string' && id !== ''))) return undefined
  const ids: readonly string[] = Array.isArray(given) ? given : ['default']
  if (ids.some(id => id === '_automatic_' || ambassadorIds.includes(id))) return undefined
  return `is for the gateway ${ids.join(', ')}; this one takes ${ambassadorIds.join(', ')} (ambassador_id)`
}

/** Objects of Kubernetes' own kinds have no field for it (emissary-resources.md 8). */
function idAnnotation({ annotations }: Manifest): readonly string[] | undefined {
  return annotations['getambassador.io/ambassador-id']?.split(',').map(id => id.trim())
}

function unknownKind(manifest: Manifest): CheckResult {
  const kinds = manifest.apiVersion.startsWith('isthmus.dev') ? ownKinds : [...schemaKinds, ...Object.keys(inertKinds)]
  const hint = didYouMean(manifest.kind, kinds)
  const text = `${manifest.apiVersion} has no kind ${manifest.kind}; ${hint === '' ? `known are ${kinds.join(', ')}` : hint}`
  return refused(manifest, [{ path: ['kind'], text }])
}

function base(manifest: Manifest): Omit<CheckResult['status'], 'state'> {
  return { ref: manifest.ref, apiVersion: manifest.apiVersion, problems: [], notices: [] }
}

function ignored(manifest: Manifest, notices: readonly string[]): CheckResult {
  return { status: { ...base(manifest), state: 'ignored', notices } }
}

function refused(manifest: Manifest, findings: readonly Finding[]): CheckResult {
  return { status: { ...base(manifest), state: 'refused', problems: findings.map(one => placeFinding(manifest, one)) } }
}

/** Another gateway's, by its `ambassador_id`. */
function foreignTo(manifest: Manifest, text: string): CheckResult {
  return { status: { ...ignored(manifest, [text]).status, foreign: true } }
}

/** A finding with the line it stands on. */
export function placeFinding(manifest: Manifest, finding: Finding): FieldProblem {
  return { path: pathText(finding.path), text: finding.text, at: manifest.locate(finding.path) }
}
