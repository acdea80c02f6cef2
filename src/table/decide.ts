import type { Presence } from '../model/health.ts'
import { Interner } from '../model/intern.ts'
import type { Reason } from '../model/reason.ts'
import { isOurCopy } from './loop.ts'
import type { Evidence, PoolEndpoint } from './pool-view.ts'

/** Source types, most trusted first, where several know the same address and port (reference/discovery.md 1.2 b). */
const precedence: readonly string[] = ['vm', 'kubernetes', 'consul', 'dns', 'file']

/** What the evidence of one address and port, best first and not empty, says together: the first decides, except that draining seen by anybody wins. */
export function decide(evidence: readonly Evidence[]): PoolEndpoint {
  const winner = evidence[0]
  if (winner === undefined) throw new Error('an endpoint without evidence cannot exist')
  const { address, port, protocol, weight, presence } = winner.endpoint
  if (isOurCopy(winner)) return onlyCopies(winner, evidence)
  const draining = evidence.find(one => one.endpoint.health === 'draining' && !isOurCopy(one))
  const health = draining === undefined ? winner.endpoint.health : 'draining'
  const reasons = evidence.length === 1 ? winner.endpoint.reasons : mergedReasons(evidence, winner, draining)
  return Object.freeze({ address, port, protocol, health, presence, weight, winner, evidence, reasons })
}

/** What is known to nobody but by our own word is not told to Envoy: the original is gone. */
function onlyCopies(winner: Evidence, evidence: readonly Evidence[]): PoolEndpoint {
  const { address, port, protocol, weight, health, presence, reasons } = winner.endpoint
  const sources = evidence.map(one => one.source).join(', ')
  const text = `${sources} has it from Isthmus itself (external-source=isthmus), and no source knows the original`
  const all = Object.freeze([...reasons, { code: 'sync-loop', text }])
  return Object.freeze({ address, port, protocol, health, presence, weight, winner, evidence, reasons: all, excluded: true })
}

function mergedReasons(evidence: readonly Evidence[], winner: Evidence, draining: Evidence | undefined): readonly Reason[] {
  const reasons: Reason[] = [...winner.endpoint.reasons]
  if (draining !== undefined && draining !== winner) {
    const text = `${draining.source} says draining, which wins over every other source`
    reasons.push(...draining.endpoint.reasons, { code: 'draining-wins', text })
  }
  let text = `known to ${String(evidence.length)} sources; ${winner.source} decides over`
  for (let index = 1; index < evidence.length; index++) text += `${index === 1 ? ' ' : ', '}${(evidence[index] as Evidence).source}`
  const alone = mergedAlone.get(text, () => Object.freeze([Object.freeze({ code: 'merged', text })]))
  return reasons.length === 0 ? alone : Object.freeze([...reasons, ...alone])
}

/** Endpoints of a service mostly have the same sources: they share what is said of it. */
const mergedAlone = new Interner<readonly Reason[]>(10_000)

const presenceRank: Record<Presence, number> = { live: 0, suspect: 1, expired: 2 }

function trustRank(type: string): number {
  const rank = precedence.indexOf(type)
  return rank < 0 ? precedence.length : rank
}

/** Originals before our own copies, live evidence before stale, then the declared order of source types, then names, so that the order is total. */
export function byTrust(a: Evidence, b: Evidence): number {
  return (
    Number(isOurCopy(a)) - Number(isOurCopy(b)) ||
    presenceRank[a.endpoint.presence] - presenceRank[b.endpoint.presence] ||
    trustRank(a.sourceType) - trustRank(b.sourceType) ||
    compare(a.source, b.source) ||
    compare(a.group, b.group) ||
    compare(a.endpoint.id, b.endpoint.id)
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
