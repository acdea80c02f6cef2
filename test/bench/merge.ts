/**
 * `node test/bench/merge.ts`: what a merge costs, in ms. One service of 1,000 endpoints that three sources know: merged from nothing, with all
 * groups of one source changed, and with one changed endpoint; each alone and with a weighted ServicePool over it.
 */
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import type { PoolMember } from '../../src/model/pool-rule.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { summarise } from './summary.ts'

const size = 1000
const rounds = 400
const web = serviceKey('shop', 'web')
const sources = [
  { name: 'agents', type: 'vm' },
  { name: 'cluster', type: 'kubernetes' },
  { name: 'dc1', type: 'consul' },
]

/** All of one source's endpoints in one group; `round` makes `changed` of them others. */
function groupOf(source: string, round: number, changed: number): EndpointGroup {
  const endpoints = Array.from({ length: size }, (_, index) => made(source, index, index >= size - changed ? round : 0))
  return { id: 'web', service: web, endpoints }
}

const cache = new Map<string, ReturnType<typeof makeEndpoint>>()
/** Sources keep the objects that did not change. */
function made(source: string, index: number, round: number) {
  const key = `${source} ${String(index)}`
  const make = (weight: number) =>
    makeEndpoint({ address: `10.0.${String(index >> 8)}.${String(index & 255)}`, port: 8080, id: `i${String(index)}`, weight })
  if (round > 0) return make(100 + (round % 100))
  const known = cache.get(key) ?? make(100)
  cache.set(key, known)
  return known
}

function member(name: string, sourceType: string, share: number): PoolMember {
  return { name, services: [web], sourceType, sources: undefined, port: undefined, tags: [], meta: {}, share, level: 0 }
}

function tableWith(pool: boolean): EndpointTable {
  const table = new EndpointTable(() => undefined)
  const members = [member('a', 'vm', 50), member('k', 'kubernetes', 30), member('c', 'consul', 20)]
  if (pool) table.follow([{ service: serviceKey('shop', 'pool'), mode: 'weighted', members, drainSeconds: 30 }], 0)
  return table
}

function time(work: () => void): number {
  const started = performance.now()
  work()
  return performance.now() - started
}

function report(what: string, ms: readonly number[]): void {
  const { p50, p99 } = summarise(ms.slice(rounds / 4))
  process.stdout.write(`${what.padEnd(46)} p50 ${p50.toFixed(3)}  p99 ${p99.toFixed(3)}\n`)
}

for (const pool of [false, true]) {
  const suffix = pool ? ', and the pool over it' : ''
  const fresh: number[] = []
  for (let round = 0; round < rounds; round++) {
    const table = tableWith(pool)
    const groups = sources.map(source => groupOf(source.name, 0, 0))
    fresh.push(
      time(() => {
        for (const [index, source] of sources.entries()) table.apply(source, [groups[index] as EndpointGroup], 0)
        table.settle()
      }),
    )
  }
  report(`from nothing, 3 × ${String(size)}${suffix}`, fresh)
  for (const changed of [size, 1]) {
    const table = tableWith(pool)
    for (const source of sources) table.apply(source, [groupOf(source.name, 0, 0)], 0)
    table.settle()
    const ms: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const group = groupOf('dc1', round, changed)
      ms.push(
        time(() => {
          table.apply({ name: 'dc1', type: 'consul' }, [group], 0)
          table.settle()
        }),
      )
    }
    report(`${String(changed)} of one source's ${String(size)} changed${suffix}`, ms)
  }
}
