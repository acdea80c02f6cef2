import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { GroupChange } from './merge.ts'
import type { PoolView } from './pool-view.ts'

/** One source's groups. */
export interface Shard {
  readonly source: string
  readonly sourceType: string
  readonly groups: Map<string, EndpointGroup>
}

/** One service: its groups by source, kept apart (style.md, principle 5), and the last merge of them. */
export interface Pool {
  readonly service: ServiceKey
  readonly shards: Map<string, Shard>
  /** What the sources say, address by address. */
  merged: PoolView | undefined
  /** The same with the two families of an instance as one endpoint. */
  joined?: PoolView
  /** False: other sources are trusted than at the last merge. */
  isRanked?: boolean
  /** What is seen: the same but for operators' decisions. */
  view: PoolView | undefined
  /** Groups that were touched since the last merge, each as it was then. */
  touched: Map<string, { readonly shard: Shard; readonly id: string; readonly before: EndpointGroup | undefined }> | undefined
}

/** A pool whose groups are those that its merge has the evidence of. */
export function copyOf(pool: Pool): Pool {
  const { service, merged } = pool
  let shards: Map<string, Shard> | undefined
  return {
    ...pool,
    touched: undefined,
    get shards() {
      return (shards ??= new Map((merged?.sources ?? []).map(source => [source, shardOf(source, service, merged)])))
    },
  }
}

function shardOf(source: string, service: ServiceKey, merged: PoolView | undefined): Shard {
  const said = (merged?.endpoints ?? []).flatMap(one => one.evidence.filter(evidence => evidence.source === source))
  const groups = new Map<string, EndpointGroup>()
  for (const [id, list] of Map.groupBy(said, one => one.group)) groups.set(id, { id, service, endpoints: list.map(one => one.endpoint) })
  return { source, sourceType: said[0]?.sourceType ?? '', groups }
}

/** What was touched since the last merge. */
export function changesOf(pool: Pool): readonly GroupChange[] {
  return [...(pool.touched?.values() ?? [])].map(({ shard, id, before }) => ({
    source: shard.source,
    sourceType: shard.sourceType,
    before,
    // The source may have come back meanwhile with a shard of its own.
    after: pool.shards.get(shard.source)?.groups.get(id),
  }))
}
