import type { PoolMember } from '../model/pool-rule.ts'
import { isAt, levelsOf, type PoolEndpoint, type PoolView, priorityOf, whyNotMember } from '../table/reader.ts'
import type { Refusal } from '../xds/status.ts'
import { isServed } from './bodies/endpoint.ts'
import type { AdminReaders } from './readers.ts'
import type { Explanation } from './schemas.ts'

type Step = Explanation['steps'][number]

/** What a ServicePool is made of; nothing for the implicit pool of a service. */
export function ruleSteps({ rule, endpoints }: PoolView): readonly Step[] {
  if (rule === undefined) return []
  const members = rule.members.map(member => {
    const own = endpoints.filter(one => one.member === member)
    return {
      name: member.name,
      level: member.level,
      share: member.share ?? null,
      endpoints: own.length,
      served: own.filter(isServed).length,
    }
  })
  const parts = members.map(one => {
    const share = one.share === null ? '' : ` gets ${one.share} percent,`
    return `${one.name}${share} has ${one.served} of ${one.endpoints} in use`
  })
  return [{ code: 'pool', text: `ServicePool ${rule.service}, mode ${rule.mode}: ${parts.join('; ')}`, data: { mode: rule.mode, members } }]
}

/** Through which member an endpoint is there, and what stands before it. */
export function placeSteps(pool: PoolView, endpoint: PoolEndpoint): readonly Step[] {
  const { member } = endpoint
  if (pool.rule === undefined || member === undefined) return []
  const priority = priorityOf(pool, endpoint)
  const data = { member: member.name, priority, share: member.share ?? null }
  const share = member.share === undefined ? '' : `, which gets ${member.share} percent`
  const before = levelsOf(pool).slice(0, priority)
  if (before.length === 0) return [{ code: 'member', text: `it is of member ${member.name}${share}, priority 0`, data }]
  const first = pool.endpoints.filter(one => before.includes(one.member?.level ?? 0))
  const well = first.filter(isServed).length
  const when = pool.rule.mode === 'priority' ? 'fewer than 72 % of those are in use' : 'none of those is in use'
  const text = `it is of member ${member.name}${share}, priority ${priority}: it gets requests when of the ${first.length} before it ${when} (now ${well})`
  return [{ code: 'member', text, data }]
}

/** In what order the Envoys of other zones come to it. */
export function nearSteps({ rule }: PoolView, { winner }: PoolEndpoint): readonly Step[] {
  if (rule?.preferZone !== true) return []
  const { region, zone } = winner.endpoint.locality
  const when = rule.mode === 'failover' ? 'none of those is in use' : 'fewer than 72 % of those are in use'
  const place = region === '' ? `zone ${zone}` : `zone ${zone} (${region})`
  const text =
    zone === ''
      ? `locality.prefer is zone, and its own is not known: Envoys that say theirs use what is nearer to them first, and this when ${when}`
      : `locality.prefer is zone: Envoys of ${place} use it first; the others use what is nearer to them first, and this when ${when}`
  return [{ code: 'near', text, data: { region, zone } }]
}

/** Why what sources know of an address is not part of a ServicePool. */
export function outsideSteps(
  pool: PoolView,
  at: { readonly address: string; readonly port: number },
  readers: Pick<AdminReaders, 'table'>,
): readonly Step[] {
  const { rule } = pool
  if (rule === undefined) return []
  return readers.table.basesOf(pool.service).flatMap(service =>
    (readers.table.base(service)?.endpoints ?? [])
      .filter(one => isAt(one, at))
      .flatMap(one =>
        rule.members
          .filter(member => member.services.includes(service))
          .map(
            (member): Step => ({
              code: 'member-skips',
              text: `member ${member.name} does not take it: ${whyNotMember(member, one.evidence) ?? portText(member, one)}`,
              data: { member: member.name, service, sources: one.evidence.map(evidence => evidence.source) },
            }),
          ),
      ),
  )
}

function portText({ port }: PoolMember, endpoint: PoolEndpoint): string {
  const { portName } = endpoint.winner.endpoint
  const has = portName === '' ? `port ${endpoint.port} without a name` : `port ${endpoint.port} "${portName}"`
  return `it wants port ${String(port)}, this is ${has} of an instance with several ports`
}

/** How far the Envoys are, in one sentence: `sent to 3 of 4 Envoys, acknowledged by 2, rejected by edge-2`; and what those that reject it say. */
export function deliverySteps(delivery: Explanation['delivery'], refusals: readonly Refusal[]): readonly Step[] {
  const refused = refusals.map(({ nodeId, refused: { type, name }, text }) => ({
    code: 'rejected',
    text: `${nodeId} rejects ${type} ${name}: ${text}`,
    data: { nodeId, type, name },
  }))
  if (delivery.length === 0) return refused
  const nodes = Map.groupBy(delivery, one => one.nodeId)
  const having = (test: (one: Explanation['delivery'][number]) => boolean) =>
    [...nodes].filter(([, list]) => list.some(test)).map(([nodeId]) => nodeId)
  const gone = having(one => one.proxyState === 'disconnected')
  const present = (ids: readonly string[]) => ids.filter(id => !gone.includes(id))
  const sent = present(having(one => one.sentVersion !== null && one.sentVersion === one.currentVersion))
  const rejected = present(having(one => one.state === 'rejected'))
  const acknowledged = sent.filter(id => (nodes.get(id) ?? []).every(one => one.ackedVersion === one.currentVersion))
  const parts = [
    `sent to ${sent.length} of ${nodes.size} Envoy${nodes.size === 1 ? '' : 's'}`,
    `acknowledged by ${acknowledged.length}`,
    ...(rejected.length === 0 ? [] : [`rejected by ${rejected.join(', ')}`]),
    ...(gone.length === 0 ? [] : [`not connected: ${gone.join(', ')}`]),
  ]
  return [
    { code: 'delivery', text: parts.join(', '), data: { envoys: nodes.size, sent, acknowledged, rejected, disconnected: gone } },
    ...refused,
  ]
}
