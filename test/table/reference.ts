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
  readonly beside: readonly string[]
  readonly health: string
  readonly presence: string
  readonly weight: number
  readonly sources: readonly string[]
  readonly decides: string
  readonly member: string
}

/** Whom to believe: names or types of sources that go first, and sources that were not read of late. */
export interface World {
  readonly trust: readonly string[]
  readonly stale: ReadonlySet<string>
}

const usual = ['vm', 'kubernetes', 'consul', 'dns', 'file']
const presences = ['live', 'suspect', 'expired']

interface Word {
  readonly said: Said
  readonly endpoint: Endpoint
  /** The place that it counts for: its own, or that of the IPv4 address of the same process. */
  readonly at: string
}

/** The union of a service, or the pool of a rule. */
export function referencePool(all: readonly Said[], of: PoolRule | string, world: World): readonly Plain[] {
  const isBetter = better(world)
  const plain = all.flatMap(said => said.group.endpoints.map((endpoint): Word => ({ said, endpoint, at: placeOf(endpoint) })))
  const words = plain.map(word => ({ ...word, at: joinedPlace(word, plain, isBetter) }))
  const places = new Set(words.map(word => word.at))
  const found: Plain[] = []
  for (const at of places) {
    const here = words.filter(word => word.at === at)
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
      beside: [...new Set(counted.flatMap(({ endpoint }) => [endpoint.address, ...endpoint.additionalAddresses]))]
        .filter(address => address !== at.split(' ')[0])
        .sort(),
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

function placeOf({ address, port, protocol }: Endpoint): string {
  return `${address} ${String(port)} ${protocol}`
}

/** An IPv6 address counts for the IPv4 one that names it, else for that of the same instance or that it names: of what is known under one key. */
function joinedPlace({ said, endpoint, at }: Word, all: readonly Word[], isBetter: (a: Word, b: Word) => boolean): string {
  if (!endpoint.address.includes(':')) return at
  const here = all.filter(
    other =>
      other.said.group.service === said.group.service &&
      other.endpoint.port === endpoint.port &&
      other.endpoint.protocol === endpoint.protocol,
  )
  const fours = here.filter(other => !other.endpoint.address.includes(':')).sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const sixes = here.filter(other => other.at === at).sort((a, b) => (isBetter(a, b) ? -1 : 1))
  const found = [
    fours.find(four => four.endpoint.additionalAddresses.includes(endpoint.address)),
    ...sixes.flatMap(six => [
      fours.find(four => four.said.source === six.said.source && four.endpoint.id === six.endpoint.id),
      ...six.endpoint.additionalAddresses.map(address =>
        fours.find(four => four.endpoint.address === address || four.endpoint.additionalAddresses.includes(address)),
      ),
    ]),
  ]
  return found.find(four => four !== undefined)?.at ?? at
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

const better =
  ({ trust, stale }: World) =>
  (a: Word, b: Word): boolean => {
    const order = [...trust, ...usual.filter(type => !trust.includes(type))]
    const keys = ({ said, endpoint }: Word) => [
      presences.indexOf(endpoint.presence),
      stale.has(said.source) ? 1 : 0,
      order.includes(said.source) ? order.indexOf(said.source) : order.includes(said.type) ? order.indexOf(said.type) : order.length,
      said.source,
      said.group.id,
      endpoint.address,
      endpoint.id,
    ]
    const [x, y] = [keys(a), keys(b)]
    for (const [index, part] of x.entries()) {
      const other = y[index]
      if (other !== undefined && part !== other) return part < other
    }
    return false
  }
