import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import type { Endpoint } from '../../src/model/endpoint.ts'
import type { PoolMember, PoolRule } from '../../src/model/pool-rule.ts'

/**
 * The merge as slowly and plainly as it can be said, to compare the table with (reference/discovery.md 1.2, 1.6). It shares no code with
 * it and knows nothing of former results.
 */

export interface Said {
  readonly source: string
  readonly type: string
  readonly group: EndpointGroup
}

/** What is compared: everything that decides about traffic. */
export interface Plain {
  readonly at: string
  readonly health: string
  readonly presence: string
  readonly weight: number
  readonly sources: readonly string[]
  readonly decides: string
  readonly member: string
}

const trust = ['vm', 'kubernetes', 'consul', 'dns', 'file']
const presences = ['live', 'suspect', 'expired']

interface Word {
  readonly said: Said
  readonly endpoint: Endpoint
}

/** The union of a service, or the pool of a rule. */
export function referencePool(all: readonly Said[], of: PoolRule | string): readonly Plain[] {
  const words = all.flatMap(said => said.group.endpoints.map((endpoint): Word => ({ said, endpoint })))
  const places = new Set(words.map(placeOf))
  const found: Plain[] = []
  for (const at of places) {
    const here = words.filter(word => placeOf(word) === at)
    const members = typeof of === 'string' ? [] : of.members
    const member = [...members]
      .sort((a, b) => a.level - b.level || members.indexOf(a) - members.indexOf(b))
      .find(one => here.some(word => takes(one, word)))
    const counted =
      typeof of === 'string'
        ? here.filter(word => word.said.group.service === of)
        : here.filter(word => members.some(one => takes(one, word)))
    if (counted.length === 0) continue
    const best = counted.reduce((one, other) => (isBetter(other, one) ? other : one))
    const draining = counted.some(word => word.endpoint.health === 'draining')
    found.push({
      at,
      health: draining ? 'draining' : best.endpoint.health,
      presence: best.endpoint.presence,
      weight: best.endpoint.weight,
      sources: [...new Set(counted.map(word => word.said.source))].sort(),
      decides: best.said.source,
      member: member?.name ?? '',
    })
  }
  return found.sort((a, b) => (a.at < b.at ? -1 : 1))
}

function placeOf({ endpoint: { address, port, protocol } }: Word): string {
  return `${address} ${String(port)} ${protocol}`
}

function takes(member: PoolMember, { said, endpoint }: Word): boolean {
  return (
    member.services.includes(said.group.service) &&
    (member.sourceType === undefined || member.sourceType === said.type) &&
    (member.sources === undefined || member.sources.includes(said.source)) &&
    member.tags.every(tag => endpoint.tags.includes(tag)) &&
    Object.entries(member.meta).every(([key, value]) => endpoint.meta[key] === value)
  )
}

function isBetter(a: Word, b: Word): boolean {
  const keys = ({ said, endpoint }: Word) => [
    presences.indexOf(endpoint.presence),
    trust.includes(said.type) ? trust.indexOf(said.type) : trust.length,
    said.source,
    said.group.id,
    endpoint.id,
  ]
  const [x, y] = [keys(a), keys(b)]
  for (const [index, part] of x.entries()) {
    const other = y[index]
    if (other !== undefined && part !== other) return part < other
  }
  return false
}
