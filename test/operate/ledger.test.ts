import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { seen, type SeenEndpoint } from '../../src/table/ledger.ts'
import { makeTestClock } from '../contract/test-clock.ts'
import { temporaryFolder } from '../tools/local.ts'
import { testLedger } from './test-ledger.ts'

const services = ['a', 'b'].map(name => serviceKey('default', name))
const sources = ['dc1', 'vms'].map(name => ({ name, type: 'file' }))

/** A source says what it knows of a service: which addresses, and how well they are. */
const step = fc.record({
  source: fc.constantFrom(...sources),
  service: fc.constantFrom(...services),
  endpoints: fc.uniqueArray(
    fc.record({
      address: fc.integer({ min: 1, max: 5 }).map(last => `10.0.0.${String(last)}`),
      health: fc.constantFrom('healthy' as const, 'unhealthy' as const, 'draining' as const),
      weight: fc.constantFrom(100, 50),
    }),
    { selector: one => one.address, maxLength: 4 },
  ),
})

const stateOf = (table: EndpointTable): Record<string, readonly SeenEndpoint[]> =>
  Object.fromEntries(services.map(service => [service, (table.pool(service)?.endpoints ?? []).map(seen)]))

t.test('replaying the ledger from now to any earlier time gives what the table was then (discovery.md 7.3)', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, isWrittenEachTime) => {
      const clock = makeTestClock()
      const table = new EndpointTable(() => undefined)
      const ledger = testLedger(table, clock)
      const past = [{ at: clock.wall(), state: stateOf(table) }]
      await ledger.extent()
      for (const { source, service, endpoints } of steps) {
        clock.advance(10)
        const group = { id: service, service, endpoints: endpoints.map(one => makeEndpoint({ ...one, port: 80, id: one.address })) }
        table.apply(source, [group], 0)
        table.settle()
        past.push({ at: clock.wall(), state: stateOf(table) })
        if (isWrittenEachTime) await ledger.entries({ limit: 1 })
      }
      for (const { at, state } of past)
        for (const service of services)
          if (JSON.stringify(await ledger.at(service, at)) !== JSON.stringify(state[service]))
            throw new Error(`${service} at ${String(at)} differs`)
    }),
    { numRuns: 100 },
  )
  t.pass('for every sequence of changes')
})

t.test('the ledger goes on over a restart, and tells what changed while the gateway was away', async t => {
  const path = join(await temporaryFolder(t), 'ledger.db')
  const clock = makeTestClock()
  const [a = serviceKey('', ''), b = serviceKey('', '')] = services
  const [dc1 = { name: '', type: '' }] = sources
  const run = async (addresses: readonly string[], more: readonly string[]) => {
    const table = new EndpointTable(() => undefined)
    const ledger = testLedger(table, clock, { path })
    const group = (service: typeof a, list: readonly string[]) => ({
      id: service,
      service,
      endpoints: list.map(address => makeEndpoint({ address, port: 80, id: address })),
    })
    table.apply(dc1, [group(a, addresses)], 0)
    if (more.length > 0) table.apply(dc1, [group(b, more)], 0)
    table.settle()
    ledger.settle(
      [...table.pools()].map(pool => pool.service),
      table.revision,
    )
    await ledger.extent()
    return ledger
  }
  const first = await run(['10.0.0.1', '10.0.0.2'], ['10.0.0.9'])
  const { last } = await first.extent()
  t.ok(last > 0)
  const before = clock.wall()
  clock.advance(60_000)
  const second = await run(['10.0.0.2', '10.0.0.3'], [])
  const told = await second.entries({ after: last, limit: 10 })
  t.match(told, [
    { cause: 'restart', service: a, before: [{ address: '10.0.0.1' }], after: [{ address: '10.0.0.3' }] },
    { cause: 'restart', service: b, before: [{ address: '10.0.0.9' }], after: [] },
  ])
  t.strictSame(
    (await second.at(a, before))?.map(one => one.address),
    ['10.0.0.1', '10.0.0.2'],
  )
  t.strictSame(
    (await second.at(b, before))?.map(one => one.address),
    ['10.0.0.9'],
  )
  t.strictSame(await second.at(b, clock.wall()), [])
  t.equal(await second.at(a, before - 1), undefined, 'before the ledger began nothing is known')
})

t.test('what is beyond the bounds of size and age goes, oldest first, and the ledger says how far it reaches', async t => {
  for (const bounds of [{ maxBytes: 200_000 }, { maxAgeMs: 10_000 }]) {
    const clock = makeTestClock()
    const table = new EndpointTable(() => undefined)
    const ledger = testLedger(table, clock, bounds)
    const [service = serviceKey('', '')] = services
    const { since: began } = await ledger.extent()
    for (let index = 0; index < 4000; index++) {
      clock.advance(10)
      const endpoint = makeEndpoint({ address: '10.0.0.1', port: 80, id: 'i', weight: 1 + (index % 2) })
      table.apply({ name: 'dc1', type: 'file' }, [{ id: 'g', service, endpoints: [endpoint] }], 0)
      table.settle()
      await ledger.entries({ limit: 1 })
    }
    const kept = await ledger.entries({ limit: 10_000 })
    t.ok(kept.length < 3000 && kept.length > 0, `${String(kept.length)} are kept`)
    t.equal(kept.at(-1)?.seq, 4000, 'the newest are')
    t.ok((await ledger.extent()).since > began)
    t.equal(await ledger.at(service, began + 10), undefined)
    t.match(await ledger.at(service, clock.wall()), [{ weight: 2 }])
  }
})

t.test('what cannot be written waits; when too much waits, steps between are joined and counted, never lost in silence', async t => {
  const clock = makeTestClock()
  const table = new EndpointTable(() => undefined)
  const ledger = testLedger(table, clock)
  const [service = serviceKey('', '')] = services
  for (let index = 0; index < 5100; index++) {
    const endpoint = makeEndpoint({ address: '10.0.0.1', port: 80, id: 'i', weight: 1 + index })
    table.apply({ name: 'dc1', type: 'file' }, [{ id: 'g', service, endpoints: [endpoint] }], 0)
    table.settle()
  }
  const entries = await ledger.entries({ after: 4990, limit: 100 })
  t.match(entries.at(-1), { seq: 5000, merged: 101, after: [{ weight: 5100 }] })
  const broken = testLedger(table, clock, { path: join('/dev/null', 'x.db') })
  broken.record({ revision: 1, service: undefined, cause: 'resync', sources: [], actor: 'ada', text: '' })
  await t.rejects(broken.entries({ limit: 1 }), { code: 'state-unusable' })
})

t.test('a clock that jumps, either way, never makes up a past: every time shows what was once so', async t => {
  const still = makeTestClock()
  let wall = 1_700_000_000_000
  const clock = { ...still, wall: () => wall }
  const table = new EndpointTable(() => undefined)
  const ledger = testLedger(table, clock)
  const [service = serviceKey('', '')] = services
  await ledger.extent()
  const put = (...lasts: readonly number[]) => {
    const endpoints = lasts.map(last => makeEndpoint({ address: `10.0.0.${String(last)}`, port: 80, id: String(last) }))
    table.apply({ name: 'dc1', type: 'file' }, [{ id: 'g', service, endpoints }], 0)
    table.settle()
  }
  const began = wall
  const states = [
    { at: 1000, lasts: [1] },
    { at: 86_400_000, lasts: [1, 2] },
    { at: 2000, lasts: [2] },
    { at: 3000, lasts: [2, 3] },
    { at: 90_000_000, lasts: [3] },
  ]
  for (const { at, lasts } of states) {
    wall = began + at
    put(...lasts)
  }
  const known = new Set([...states.map(({ lasts }) => lasts.map(last => `10.0.0.${String(last)}`).join())])
  for (const ms of [1000, 1500, 2000, 2500, 3000, 86_400_000, 90_000_000]) {
    const seen = (await ledger.at(service, began + ms))?.map(one => one.address).join()
    t.ok(seen !== undefined && known.has(seen), `${String(ms)} ms: ${String(seen)}`)
  }
  t.match(await ledger.at(service, began + 90_000_000), [{ address: '10.0.0.3' }])
  t.same(
    (await ledger.entries({ limit: 10 })).map(entry => entry.seq),
    [1, 2, 3, 4, 5],
    'the order is that of what happened',
  )
})

t.test("a change of a ServicePool's rule says what changed, whatever it does to endpoints", async t => {
  const table = new EndpointTable(() => undefined)
  const ledger = testLedger(table, makeTestClock())
  const [a = serviceKey('default', 'a')] = services
  const pool = serviceKey('default', 'pool')
  const member = (name: string, share: number) => ({
    ...{ name, services: [a], sources: undefined, sourceType: undefined, port: undefined, tags: [], meta: {}, share, level: 0 },
  })
  const follow = async (drainSeconds: number, ...members: ReturnType<typeof member>[]): Promise<void> => {
    table.follow([{ service: pool, mode: 'weighted', members, drainSeconds }], 0)
    table.settle()
    await ledger.extent()
  }
  table.apply(
    { name: 'dc1', type: 'file' },
    [{ id: 'a', service: a, endpoints: [makeEndpoint({ address: '10.0.0.1', port: 80, id: '1' })] }],
    0,
  )
  await follow(30, member('vms', 50), member('pods', 50))
  await follow(30, member('vms', 80), member('pods', 20))
  await follow(10, member('vms', 80), member('machines', 20))
  const entries = await ledger.entries({ service: pool, limit: 10 })
  t.same(entries.map(({ cause, text }) => `${cause}: ${text}`).slice(-2), [
    'pool: ServicePool: member vms share 50 → 80, member pods share 50 → 20',
    'pool: ServicePool: member pods removed, member machines 20 % added, drainSeconds 30 → 10',
  ])
})
