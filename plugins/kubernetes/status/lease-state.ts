/** `coordination.k8s.io/v1` Lease, the part we use. */
export interface Lease {
  readonly apiVersion: 'coordination.k8s.io/v1'
  readonly kind: 'Lease'
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion?: string }
  readonly spec?: LeaseSpec
}

export interface LeaseSpec {
  readonly holderIdentity?: string | null
  readonly leaseDurationSeconds?: number | null
  readonly acquireTime?: string | null
  readonly renewTime?: string | null
  readonly leaseTransitions?: number | null
}

/** The record of a holder and since when (ms, monotonic) we have seen it unchanged: other machines' clocks are not compared with ours. */
export interface Sighting {
  readonly holder: string
  readonly renewTime: string
  readonly since: number
}

/** What this replica has seen of the lease, now that it read it. A record that did not change keeps its time. */
export function sight(before: Sighting | undefined, spec: LeaseSpec | undefined, now: number): Sighting {
  const holder = spec?.holderIdentity ?? ''
  const renewTime = spec?.renewTime ?? ''
  return before !== undefined && before.holder === holder && before.renewTime === renewTime ? before : { holder, renewTime, since: now }
}

/** Whether `identity` may take the lease: it is its own, released, or was not renewed for as long as it was given out. */
export function mayTake(seen: Sighting, spec: LeaseSpec | undefined, identity: string, now: number): boolean {
  if (seen.holder === '' || seen.holder === identity) return true
  return now - seen.since >= (spec?.leaseDurationSeconds ?? 15) * 1000
}

/** The lease in the hand of `identity`. */
export function taken(spec: LeaseSpec | undefined, identity: string, seconds: number, wall: string): LeaseSpec {
  const mine = spec?.holderIdentity === identity
  return {
    holderIdentity: identity,
    leaseDurationSeconds: seconds,
    acquireTime: mine ? (spec.acquireTime ?? wall) : wall,
    renewTime: wall,
    leaseTransitions: spec === undefined ? 0 : (spec.leaseTransitions ?? 0) + (mine ? 0 : 1),
  }
}

/** The lease given back: the next replica need not wait. */
export function released(spec: LeaseSpec | undefined, wall: string): LeaseSpec {
  return { ...spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: wall }
}
