import type { Locality } from '../../model/endpoint.ts'
import type { PoolEndpoint } from '../../table/reader.ts'
import type { Place } from '../resource.ts'

/**
 * How far an endpoint is from a client: 0 in its zone, 1 in its region, 2 elsewhere, or who knows where. Zones of two regions may have the
 * same name; where one side does not say its region, the name decides.
 */
export function distance({ region, zone }: Locality, place: Place): 0 | 1 | 2 {
  const sameRegion = region === place.region
  if (zone !== '' && zone === place.zone && (sameRegion || region === '' || place.region === '')) return 0
  return sameRegion && region !== '' ? 1 : 2
}

/**
 * The part of a place that tells some of the endpoints from others; undefined: nothing does. So there are no more assignments than the pool
 * has places, whatever clients call theirs.
 */
export function narrowPlace(endpoints: readonly PoolEndpoint[], place: Place): Place | undefined {
  const found = new Set(endpoints.map(({ winner }) => distance(winner.endpoint.locality, place)))
  if (found.size < 2) return undefined
  return found.has(0) ? place : { region: place.region, zone: '' }
}
