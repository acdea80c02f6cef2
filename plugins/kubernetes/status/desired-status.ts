import { isDeepStrictEqual } from 'node:util'
import type { ObjectStatus } from '../../../src/manifests/status.ts'

/** `.status` of an object as the API server has it. */
export type KubeStatus = Readonly<Record<string, unknown>>

interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
  readonly observedGeneration?: number
}

/** What may be written about Mappings (`AMBASSADOR_UPDATE_MAPPING_STATUS`): unset, `true` and `false` (emissary-resources.md 1.3). */
export type MappingStates = 'refusals' | 'all' | 'none'

export interface StatusPolicy {
  readonly mappingStates: MappingStates
  /** `ip` or `hostname` of the gateway's own load balancer, for Ingresses; undefined: not known, nothing is written. */
  readonly addresses: readonly Readonly<Record<string, unknown>>[] | undefined
}

/** The longest message that a condition may have, in the CRDs of ours; Kubernetes has the same limit. */
const longestMessage = 32_768

/**
 * The part of `.status` that is ours to write, made of what became of the object (emissary-resources.md 0, 1.3, 3). Undefined: nothing of
 * it is ours. A field that is null is to be taken away. Conditions that others wrote stay; times move only with what they date.
 * @param generation of the object that was judged
 * @param present `.status` as it is
 * @param now wall clock, as ISO text
 */
export function desiredStatus(
  judged: ObjectStatus,
  generation: number | undefined,
  present: KubeStatus,
  policy: StatusPolicy,
  now: string,
): KubeStatus | undefined {
  if (judged.foreign === true || judged.ref.kind === 'IngressClass') return undefined
  if (judged.ref.kind === 'Ingress') return ingressStatus(judged, policy)
  if (judged.ref.kind === 'Mapping' && policy.mappingStates === 'none') return undefined
  const conditions = withTimes(conditionsOf(judged, generation), present, now)
  if (judged.ref.kind === 'Mapping') return { ...mappingState(judged, present, policy), conditions }
  if (judged.ref.kind === 'Host') return { ...hostState(judged, present, now), conditions }
  return { conditions }
}

/** Whether writing it would change anything. */
export function isWritten(desired: KubeStatus, present: KubeStatus): boolean {
  return Object.entries(desired).every(([key, value]) => isDeepStrictEqual(value ?? undefined, present[key]))
}

function ingressStatus(judged: ObjectStatus, { addresses }: StatusPolicy): KubeStatus | undefined {
  if (judged.state === 'ignored' || addresses === undefined) return undefined
  return { loadBalancer: addresses.length === 0 ? {} : { ingress: addresses } }
}

function conditionsOf(judged: ObjectStatus, generation: number | undefined): readonly Condition[] {
  const observed = generation === undefined ? {} : { observedGeneration: generation }
  const condition = (type: string, holds: boolean, reason: string, message: string): Condition => ({
    type,
    status: holds ? 'True' : 'False',
    reason,
    message: message.slice(0, longestMessage),
    ...observed,
  })
  const refused = judged.state === 'refused'
  return [
    condition('Accepted', !refused, refused ? 'Refused' : 'Accepted', refused ? reasonText(judged) : ''),
    condition('InEffect', isServed(judged), effectReason(judged), effectText(judged)),
  ]
}

function isServed({ state, unserved, rejections }: ObjectStatus): boolean {
  return state === 'accepted' && unserved === undefined && rejections === undefined
}

function effectReason({ state, lastGood, unserved, rejections }: ObjectStatus): string {
  if (state === 'refused') return lastGood ? 'LastGoodServed' : 'Refused'
  if (state === 'ignored') return 'NotServed'
  if (unserved !== undefined) return 'NotServed'
  if (rejections !== undefined) return 'RejectedByEnvoy'
  return 'Served'
}

function effectText({ state, lastGood, notices, unserved, rejections = [] }: ObjectStatus): string {
  if (state === 'refused') return lastGood ? 'the last good version of this object is served' : 'nothing of this object is served'
  const rejected = rejections.map(({ proxy, resource, text }) => `${proxy} rejects its ${resource}: ${text}`)
  return [...rejected, ...(unserved === undefined ? [] : [unserved]), ...notices.filter(one => one !== unserved)].join('; ')
}

/** Why an object is refused, in one line. */
function reasonText({ problems }: ObjectStatus): string {
  return problems.map(({ path, text }) => (path === '' ? text : `${path}: ${text}`)).join('; ')
}

function mappingState(judged: ObjectStatus, present: KubeStatus, { mappingStates }: StatusPolicy): KubeStatus {
  if (judged.state === 'refused') return { state: 'Inactive', reason: reasonText(judged) }
  if (mappingStates === 'all') return { state: 'Running', ...cleared(present, 'reason') }
  return cleared(present, 'state', 'reason')
}

/** A Host is in error while it is refused or cannot be served; the time is that of the first report of this reason. */
function hostState(judged: ObjectStatus, present: KubeStatus, now: string): KubeStatus {
  const error = judged.state === 'refused' ? reasonText(judged) : judged.unserved
  if (error === undefined) return { state: 'Ready', ...cleared(present, 'errorReason', 'errorTimestamp') }
  const same = present['errorReason'] === error && typeof present['errorTimestamp'] === 'string'
  return { state: 'Error', errorReason: error, errorTimestamp: same ? present['errorTimestamp'] : now }
}

/** Takes away those of the fields that are there. */
function cleared(present: KubeStatus, ...fields: readonly string[]): KubeStatus {
  return Object.fromEntries(fields.filter(field => present[field] !== undefined).map(field => [field, null]))
}

/** Others' conditions stay in front; a condition whose status stays keeps its time. */
function withTimes(ours: readonly Condition[], present: KubeStatus, now: string): readonly Readonly<Record<string, unknown>>[] {
  const before = Array.isArray(present['conditions']) ? (present['conditions'] as readonly Readonly<Record<string, unknown>>[]) : []
  const others = before.filter(one => ours.every(({ type }) => type !== one['type']))
  return [
    ...others,
    ...ours.map(one => {
      const old = before.find(({ type }) => type === one.type)
      const since = old !== undefined && old['status'] === one.status ? old['lastTransitionTime'] : undefined
      return { ...one, lastTransitionTime: typeof since === 'string' ? since : now }
    }),
  ]
}
