import type { Endpoint } from '../model/endpoint.ts'
import { Interner } from '../model/intern.ts'
import type { Reason } from '../model/reason.ts'
import { inMesh, meshOf } from './in-mesh.ts'
import { isOurCopy } from './loop.ts'
import type { PoolPlace } from './pool-order.ts'
import type { Evidence, PoolEndpoint } from './pool-view.ts'

/**
 * What evidence says together of the endpoint at a place: the first decides, except that draining seen by anybody wins (reference/discovery.md
 * 1.2). Other addresses that the evidence names are those of the same process in the other family: they go along.
 * @param at where the endpoint is; one of the addresses of the evidence
 * @param evidence best first and not empty
 */
export function decide(at: PoolPlace, evidence: readonly Evidence[]): PoolEndpoint {
  const winner = evidence[0]
  if (winner === undefined) throw new Error('an endpoint without evidence cannot exist')
  const { address, port, protocol } = at
  const { weight, presence } = winner.endpoint
  const additionalAddresses = addressesBeside(address, winner.endpoint, evidence)
  if (isOurCopy(winner)) return onlyCopies({ address, port, protocol, additionalAddresses }, winner, evidence)
  const draining = evidence.find(one => one.endpoint.health === 'draining' && !isOurCopy(one))
  const health = draining === undefined ? winner.endpoint.health : 'draining'
  const reasons = evidence.length === 1 ? winner.endpoint.reasons : mergedReasons(evidence, winner, draining)
  const decided = { address, port, protocol, additionalAddresses, health, presence, weight, winner, evidence, reasons }
  const mesh = meshOf(evidence)
  return mesh === undefined ? decided : inMesh(decided, mesh)
}

/** All that the evidence knows but `address`, sorted. */
function addressesBeside(address: string, winner: Endpoint, evidence: readonly Evidence[]): readonly string[] {
  let isOne = winner.address === address && !winner.additionalAddresses.includes(address)
  for (const { endpoint } of evidence) {
    isOne &&= endpoint === winner || (endpoint.address === address && endpoint.additionalAddresses.length === 0)
  }
  // The usual cases: one evidence, or addresses of one family.
  if (isOne) return winner.additionalAddresses
  const all = new Set(evidence.flatMap(({ endpoint }) => [endpoint.address, ...endpoint.additionalAddresses]))
  all.delete(address)
  return [...all].sort()
}

/** What is known to nobody but by our own word is not told to Envoy: the original is gone. */
function onlyCopies(
  place: Pick<PoolEndpoint, 'address' | 'port' | 'protocol' | 'additionalAddresses'>,
  winner: Evidence,
  evidence: readonly Evidence[],
): PoolEndpoint {
  const { weight, health, presence, reasons } = winner.endpoint
  const sources = evidence.map(one => one.source).join(', ')
  const text = `${sources} has it from Isthmus itself (external-source=isthmus), and no source knows the original`
  const all = [...reasons, { code: 'sync-loop', text }]
  return { ...place, health, presence, weight, winner, evidence, reasons: all, excluded: true }
}

function mergedReasons(evidence: readonly Evidence[], winner: Evidence, draining: Evidence | undefined): readonly Reason[] {
  const alone = mergedAlone(evidence)
  if (winner.endpoint.reasons.length === 0 && draining === undefined) return alone
  const reasons: Reason[] = [...winner.endpoint.reasons]
  if (draining !== undefined && draining !== winner) {
    const text = `${draining.source} says draining, which wins over every other source`
    reasons.push(...draining.endpoint.reasons, { code: 'draining-wins', text })
  }
  return [...reasons, ...alone]
}

/** Endpoints of a service mostly have the same sources: they share what is said of that. */
const merged = new Interner<readonly Reason[]>(10_000)
/** What was said last: the next endpoint of the service is likely to have it said, too. */
let said: { readonly sources: readonly string[]; readonly reasons: readonly Reason[] } = { sources: [], reasons: [] }

function mergedAlone(evidence: readonly Evidence[]): readonly Reason[] {
  const { sources } = said
  if (sources.length === evidence.length && evidence.every(({ source }, index) => source === sources[index])) return said.reasons
  const [first, ...others] = evidence.map(one => one.source)
  const text = `known to ${String(evidence.length)} sources; ${String(first)} decides over ${others.join(', ')}`
  const reasons = merged.get(text, () => [{ code: 'merged', text }])
  said = { sources: evidence.map(one => one.source), reasons }
  return said.reasons
}
