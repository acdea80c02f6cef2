import { type ServiceKey, splitServiceKey } from '../model/service-key.ts'
import { isOurCopy } from './loop.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'

export const conflictKinds = [
  'health-disagreement',
  'weight-disagreement',
  'port-disagreement',
  'port-name-disagreement',
  'protocol-disagreement',
  'zone-disagreement',
  'identity-reuse',
  'address-reuse',
  'sync-loop',
  'gateway-loop',
  'mesh-only',
  'address-in-two-services',
  'name-apart',
] as const
export const conflictSeverities = ['warning', 'info'] as const

/** Something the registries do not agree on (reference/discovery.md 7.4), with what the merge made of it and what would end it. */
export interface Conflict {
  /** Stable while the conflict lasts: kind and services. */
  readonly id: string
  readonly kind: (typeof conflictKinds)[number]
  /** `warning`: requests may go where they should not; `info`: it is decided, and worth knowing. */
  readonly severity: (typeof conflictSeverities)[number]
  /** Sorted. */
  readonly services: readonly ServiceKey[]
  readonly text: string
  /** What to do about it. */
  readonly fix: string
  /** How many endpoints it concerns; `members` names the first of them. */
  readonly count: number
  readonly members: readonly ConflictMember[]
}

/** One side of a conflict at one address. */
export interface ConflictMember {
  readonly service: ServiceKey
  readonly address: string
  readonly port: number
  readonly source: string
  /** What this side says: a health, a weight, an instance id. */
  readonly says: string
}

const maxMembers = 20
const ofView = new WeakMap<PoolView, readonly Conflict[]>()

/** All conflicts of a table's services: those within one, then those between two; sorted by id. Pure; its cost is that of a walk over all endpoints. */
export function findConflicts(pools: Iterable<PoolView>): readonly Conflict[] {
  const all = [...pools]
  return [...all.flatMap(conflictsWithin), ...sharedAddresses(all), ...namesApart(all)].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Those between the sources of one service; kept for as long as the view is. */
function conflictsWithin(pool: PoolView): readonly Conflict[] {
  let found = ofView.get(pool)
  if (found === undefined) ofView.set(pool, (found = within(pool)))
  return found
}

interface Rule {
  readonly kind: Conflict['kind']
  readonly severity: Conflict['severity']
  readonly text: string
  readonly fix: string
  /** The sides, if the evidence of this endpoint disagrees. */
  sides(evidence: readonly Evidence[]): readonly (readonly [Evidence, string])[]
}

const rules: readonly Rule[] = [
  {
    kind: 'health-disagreement',
    severity: 'warning',
    text: 'one source takes an instance for healthy, another does not; the most trusted one decides',
    fix: 'find out which is right: repair the check of the other, or drain the endpoint meanwhile (isthmus drain)',
    sides: evidence => {
      const states = evidence.filter(one => one.endpoint.presence === 'live' && one.endpoint.health !== 'unknown')
      const well = states.some(one => one.endpoint.health === 'healthy' || one.endpoint.health === 'degraded')
      const ill = states.some(one => one.endpoint.health === 'unhealthy')
      return well && ill ? states.map(one => [one, one.endpoint.health]) : []
    },
  },
  {
    kind: 'weight-disagreement',
    severity: 'info',
    text: 'sources give an instance different weights; that of the most trusted one counts, and they are never added up',
    fix: 'set the same weight everywhere (100 is an ordinary instance), or decide by an override (isthmus weight)',
    sides: evidence => differing(evidence, one => String(one.endpoint.weight)),
  },
  {
    kind: 'port-name-disagreement',
    severity: 'info',
    text: 'sources call the same port differently; a route that names the port finds it by either name',
    fix: 'give the port one name in all registries',
    sides: evidence =>
      differing(
        evidence.filter(one => one.endpoint.portName !== ''),
        one => one.endpoint.portName,
      ),
  },
  {
    kind: 'zone-disagreement',
    severity: 'info',
    text: 'sources place an instance in different zones; that of the most trusted one counts',
    fix: 'call zones the same in all registries: a preference for the zone depends on it',
    sides: evidence =>
      differing(
        evidence.filter(one => one.endpoint.locality.zone !== ''),
        one => one.endpoint.locality.zone,
      ),
  },
  {
    kind: 'identity-reuse',
    severity: 'warning',
    text: 'one source knows two instances at the same address and port: an address was given to another instance before the old one was taken out',
    fix: 'deregister the instance that is gone',
    sides: evidence => {
      const ids = new Set(evidence.map(one => `${one.source}\0${one.endpoint.id}`))
      return ids.size > new Set(evidence.map(one => one.source)).size ? evidence.map(one => [one, `instance ${one.endpoint.id}`]) : []
    },
  },
  {
    kind: 'sync-loop',
    severity: 'warning',
    text: 'a registry holds a copy of what another one says; the copy counts for nothing',
    fix: 'leave the copies out of the source (Isthmus marks its own exports with external-source=isthmus), or stop the synchronisation',
    sides: evidence => {
      const copies = evidence.filter(isOurCopy)
      return copies.length === 0 ? [] : evidence.map(one => [one, isOurCopy(one) ? 'copy' : 'original'])
    },
  },
]

function within(pool: PoolView): readonly Conflict[] {
  const found = rules.flatMap(rule => {
    const members: ConflictMember[] = []
    let count = 0
    for (const endpoint of pool.endpoints) {
      // The usual case by far, and cheap to pass over; a copy may stand alone.
      if (endpoint.evidence.length === 1 && rule.kind !== 'sync-loop') continue
      const sides = rule.sides(endpoint.evidence)
      if (sides.length === 0) continue
      count++
      if (members.length < maxMembers) for (const [one, says] of sides) members.push(member(pool.service, endpoint, one.source, says))
    }
    return count === 0 ? [] : [conflict(rule, [pool.service], count, members)]
  })
  return [...found, ...[portDisagreement(pool), protocolDisagreement(pool), ...leftOut(pool)].filter(one => one !== undefined)]
}

/** Endpoints that the table leaves out by itself, as their reasons say. */
function leftOut(pool: PoolView): readonly (Conflict | undefined)[] {
  return standingConflicts.map(({ code, ...said }) => {
    const found = pool.endpoints.filter(one => one.excluded === true && one.reasons.some(reason => reason.code === code))
    const members = found
      .slice(0, maxMembers)
      .map(one => member(pool.service, one, one.winner.source, `instance ${one.winner.endpoint.id}`))
    return found.length === 0 ? undefined : conflict({ kind: code, ...said }, [pool.service], found.length, members)
  })
}

const standingConflicts = [
  {
    code: 'mesh-only',
    severity: 'warning',
    text: 'an endpoint takes mutual TLS of a service mesh only, and the gateway has no certificate for it; it gets no requests',
    fix: 'let the Consul source speak to the mesh (connect: true), or see what its status says of the leaf and the roots',
  },
  {
    code: 'address-reuse',
    severity: 'warning',
    text: 'the address of an instance that its source does not vouch for at present was given to an instance of another service; it gets no requests',
    fix: 'deregister the instance that is gone, or release what the guard holds (isthmus sources release-guard)',
  },
  {
    code: 'gateway-loop',
    severity: 'warning',
    text: "an endpoint is the gateway's own listener: requests would come back for ever; it gets none",
    fix: 'register the address of the service itself, or another port',
  },
] as const

/**
 * Sources that know an address of the service under ports that do not meet. Where a source gives each instance a port of its own, two ports at
 * one address are two instances, unless both sources call them the same.
 */
function portDisagreement(pool: PoolView): Conflict | undefined {
  if (pool.sources.length < 2) return undefined
  const dynamic = sourcesOfSeveralPorts(pool)
  const byAddress = Map.groupBy(pool.endpoints, endpoint => endpoint.address)
  const members: ConflictMember[] = []
  let count = 0
  for (const endpoints of byAddress.values()) {
    if (endpoints.length < 2 || endpoints.some(endpoint => new Set(endpoint.evidence.map(one => one.source)).size > 1)) continue
    const sources = new Set(endpoints.map(endpoint => endpoint.winner.source))
    if (sources.size < 2 || (sources.intersection(dynamic).size > 0 && !haveOneName(endpoints))) continue
    if (new Set(endpoints.map(endpoint => endpoint.port)).size < 2) continue
    count++
    if (members.length < maxMembers)
      for (const endpoint of endpoints)
        members.push(member(pool.service, endpoint, endpoint.winner.source, `port ${String(endpoint.port)}`))
  }
  if (count === 0) return undefined
  const text = 'sources know an address under different ports: it counts as that many endpoints'
  const fix = 'register the same port everywhere, or name the port of each member in a ServicePool'
  return conflict({ kind: 'port-disagreement', severity: 'warning', text, fix }, [pool.service], count, members)
}

/** Sources that know endpoints of the service under more than one port. */
function sourcesOfSeveralPorts({ endpoints }: PoolView): ReadonlySet<string> {
  const first = new Map<string, number>()
  const several = new Set<string>()
  for (const { port, evidence } of endpoints) {
    for (const { source } of evidence) {
      const known = first.get(source)
      if (known === undefined) first.set(source, port)
      else if (known !== port) several.add(source)
    }
  }
  return several
}

/** Whether two sources call an instance the same. */
function haveOneName(endpoints: readonly PoolEndpoint[]): boolean {
  const sourceOf = new Map<string, string>()
  return endpoints.some(({ winner: { source, endpoint } }) => {
    const other = sourceOf.get(endpoint.id)
    sourceOf.set(endpoint.id, source)
    return other !== undefined && other !== source
  })
}

/** One port that one source takes for TCP and another for UDP. */
function protocolDisagreement(pool: PoolView): Conflict | undefined {
  if (pool.sources.length < 2) return undefined
  const members: ConflictMember[] = []
  let count = 0
  for (const [index, endpoint] of pool.endpoints.entries()) {
    // The pool's order puts the two beside each other.
    const other = pool.endpoints[index + 1]
    if (other?.address !== endpoint.address || other.port !== endpoint.port) continue
    if (endpoint.evidence.some(a => other.evidence.some(b => a.source === b.source))) continue
    count++
    if (members.length >= maxMembers) continue
    for (const one of [endpoint, other]) members.push(member(pool.service, one, one.winner.source, one.protocol))
  }
  if (count === 0) return undefined
  const text = 'one source takes a port for TCP, another for UDP: it counts as two endpoints, and requests go to the TCP one'
  const fix = 'register the right protocol in both'
  return conflict({ kind: 'protocol-disagreement', severity: 'info', text, fix }, [pool.service], count, members)
}

/** Addresses that two services have, known to different sources: a name that differs between registries, or an address that was reused. */
function sharedAddresses(pools: readonly PoolView[]): readonly Conflict[] {
  const first = new Map<string, { readonly pool: PoolView; readonly endpoint: PoolEndpoint }>()
  const pairs = new Map<string, { readonly services: readonly ServiceKey[]; count: number; readonly members: ConflictMember[] }>()
  for (const pool of pools) {
    // A ServicePool shares its endpoints with the services it is made of, and other pools, on purpose.
    if (pool.rule !== undefined) continue
    for (const endpoint of pool.endpoints) {
      const place = `${endpoint.address} ${String(endpoint.port)} ${endpoint.protocol}`
      const other = first.get(place)
      if (other === undefined) {
        first.set(place, { pool, endpoint })
        continue
      }
      // Two names for one process are nothing unusual within one registry.
      if (other.endpoint.evidence.some(a => endpoint.evidence.some(b => a.source === b.source))) continue
      const services = [other.pool.service, pool.service].sort()
      const key = services.join(' ')
      const pair = pairs.get(key) ?? { services, count: 0, members: [] }
      pairs.set(key, pair)
      pair.count++
      if (pair.members.length >= maxMembers) continue
      for (const side of [other, { pool, endpoint }]) {
        const { winner } = side.endpoint
        pair.members.push(member(side.pool.service, side.endpoint, winner.source, `instance ${winner.endpoint.id}`))
      }
    }
  }
  const text =
    'different sources know an address as an endpoint of different services: the service has two names, or the address was given to another one'
  const fix = 'if it is one service, join both names in a ServicePool; if not, take the instance that is gone out of its registry'
  return [...pairs.values()].map(({ services, count, members }) =>
    conflict({ kind: 'address-in-two-services', severity: 'warning', text, fix }, services, count, members),
  )
}

/** A name that different sources know in different namespaces or spellings: most often one service that does not meet itself. */
function namesApart(pools: readonly PoolView[]): readonly Conflict[] {
  const joined = new Set(pools.flatMap(pool => pool.rule?.members.flatMap(one => one.services) ?? []))
  const open = pools.filter(pool => pool.rule === undefined && pool.endpoints.length > 0 && !joined.has(pool.service))
  return [...Map.groupBy(open, pool => splitServiceKey(pool.service).name.toLowerCase()).values()].flatMap(group => {
    if (group.length < 2) return []
    const apart = group.filter(one => group.every(other => other === one || !other.sources.some(source => one.sources.includes(source))))
    if (apart.length < 2) return []
    const members = apart.flatMap(pool => {
      const [endpoint] = pool.endpoints
      return endpoint === undefined
        ? []
        : [member(pool.service, endpoint, pool.sources.join(', '), `${String(pool.endpoints.length)} endpoints`)]
    })
    const text = 'different sources know a service of this name in different namespaces or spellings: they are not merged'
    const fix = 'join them in a ServicePool, or set `namespace` of the source; if they are different services, all is well'
    const services = apart.map(pool => pool.service).sort()
    return [conflict({ kind: 'name-apart', severity: 'info', text, fix }, services, members.length, members)]
  })
}

function differing(evidence: readonly Evidence[], say: (one: Evidence) => string): readonly (readonly [Evidence, string])[] {
  const live = evidence.filter(one => one.endpoint.presence === 'live' && !isOurCopy(one))
  const [first] = live
  if (first === undefined || live.every(one => say(one) === say(first))) return []
  return live.map(one => [one, say(one)])
}

function member(service: ServiceKey, { address, port }: PoolEndpoint, source: string, says: string): ConflictMember {
  return { service, address, port, source, says }
}

function conflict(
  { kind, severity, text, fix }: Pick<Conflict, 'kind' | 'severity' | 'text' | 'fix'>,
  services: readonly ServiceKey[],
  count: number,
  members: readonly ConflictMember[],
): Conflict {
  return { id: `${kind}:${services.join(',')}`, kind, severity, services, text, fix, count, members }
}
