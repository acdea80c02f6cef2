import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { Locality } from '../../model/endpoint.ts'
import type { Place } from '../resource.ts'
import type { PoolEndpoint } from '../../table/reader.ts'
import { distance } from './distance.ts'
import { subsetStep } from './subset.ts'

/** Over the highest level a member can have. */
const stepSize = 1000

/** Envoy takes priorities from 0 to 128. */
const prioritiesMost = 129

/** Endpoints of one locality and priority, as Envoy groups them. */
export interface RankedLocality {
  readonly locality: Locality
  /** From 0, without gaps. */
  readonly priority: number
  /** Its share of the priority's requests; undefined where localities have none. */
  readonly share: number | undefined
  /** Not empty, in the pool's order. */
  readonly endpoints: readonly PoolEndpoint[]
}

const nowhere: Locality = Object.freeze({ region: '', zone: '', subzone: '' })

/**
 * Sorts endpoints into priorities and localities. Levels that have no endpoint are passed over, as Envoy wants priorities without gaps
 * (reference/discovery.md 1.5). In a weighted pool a locality is a member, so that its share is the member's however many instances and
 * zones it has; everywhere else it is where the instances are.
 * Steps of a subset go before levels. With a `place`, each level is up to three: its zone, its region, and the rest.
 */
export function rankLocalities(
  endpoints: readonly PoolEndpoint[],
  weighted: boolean,
  subset: AssignmentSpec['subset'],
  place?: Place,
): readonly RankedLocality[] {
  const first = endpoints[0]
  if (first === undefined) return []
  if (first.member === undefined) return byPlace(endpoints, 0)
  const step = (endpoint: PoolEndpoint) => (subset === undefined ? 0 : subsetStep(endpoint, subset))
  const levels = inOrder(endpoints, endpoint => step(endpoint) * stepSize + (endpoint.member?.level ?? 0))
  return nearestFirst(levels, place).flatMap((level, priority) => (weighted ? byMember(level, priority) : byPlace(level, priority)))
}

type Level = readonly PoolEndpoint[]

function nearestFirst(levels: readonly Level[], place: Place | undefined): readonly Level[] {
  if (place === undefined) return levels
  // With more priorities than Envoy takes it would refuse the whole assignment: the last levels stay as they are.
  let room = prioritiesMost - levels.length
  return levels.flatMap(level => {
    const parts = inOrder(level, ({ winner }) => distance(winner.endpoint.locality, place))
    if (parts.length - 1 > room) return [level]
    room -= parts.length - 1
    return parts
  })
}

/** The endpoints in groups, the one of the lowest rank first. */
function inOrder(endpoints: Level, rank: (endpoint: PoolEndpoint) => number): readonly Level[] {
  return [...Map.groupBy(endpoints, rank)].sort(([a], [b]) => a - b).map(([, level]) => level)
}

function byPlace(endpoints: readonly PoolEndpoint[], priority: number): readonly RankedLocality[] {
  const first = (endpoints[0] as PoolEndpoint).winner.endpoint.locality
  if (endpoints.every(({ winner }) => sameLocality(winner.endpoint.locality, first)))
    return [{ locality: first, priority, share: undefined, endpoints }]
  const groups = Map.groupBy(endpoints, ({ winner: { endpoint } }) => placeText(endpoint.locality))
  return [...groups.values()]
    .map((group): RankedLocality => {
      const { locality } = (group[0] as PoolEndpoint).winner.endpoint
      return { locality, priority, share: undefined, endpoints: group }
    })
    .sort((a, b) => compareLocalities(a.locality, b.locality))
}

function byMember(endpoints: readonly PoolEndpoint[], priority: number): readonly RankedLocality[] {
  return [...Map.groupBy(endpoints, ({ member }) => member?.name ?? '')]
    .sort(([a], [b]) => compare(a, b))
    .map(([name, group]) => {
      const locality = Object.freeze({ ...nowhere, subzone: name })
      return { locality, priority, share: Math.max(1, group[0]?.member?.share ?? 1), endpoints: group }
    })
}

function placeText({ region, zone, subzone }: Locality): string {
  return JSON.stringify([region, zone, subzone])
}

function sameLocality(a: Locality, b: Locality): boolean {
  return a === b || (a.region === b.region && a.zone === b.zone && a.subzone === b.subzone)
}

function compareLocalities(a: Locality, b: Locality): number {
  return compare(a.region, b.region) || compare(a.zone, b.zone) || compare(a.subzone, b.subzone)
}

/** By UTF-16 code unit: the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
