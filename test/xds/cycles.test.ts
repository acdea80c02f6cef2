import t from 'tap'
import { cycle, cycleNames, fillForCycles } from './cycles.ts'
import { startXds, until } from './harness.ts'

t.test('L8 300 streams that come and go leave nothing behind: no watch, no use, no name, no heap', async t => {
  const xds = await startXds(t)
  fillForCycles(xds)
  const heap: number[] = []
  await cycle(xds, 10, 30, (_, megabytes) => void heap.push(megabytes))
  await until(() => xds.cache.kept.watches === 0)
  t.same(xds.cache.kept, { watches: 0, uses: 0 })
  t.equal(xds.server.proxies.proxies().filter(proxy => proxy.state !== 'disconnected').length, 0)
  const held = Array.from({ length: cycleNames }, (_, index) => `c-${String(index)}`).filter(
    name => xds.cache.names('cluster').get(name) !== undefined || xds.cache.names('endpoint').get(name) !== undefined,
  )
  t.same(held, [])
  // What a stream keeps of 400 resources is about 30 kB: 200 of them that stayed would show.
  const [first = 0, last = 0] = [heap[2], heap.at(-1)]
  t.ok(last - first < 4, `from ${first.toFixed(1)} to ${last.toFixed(1)} MB`)
  t.same(xds.faults, [])
})
