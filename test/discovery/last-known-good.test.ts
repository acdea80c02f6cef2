import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { LastKnownGood, type RecallOf } from '../../src/discovery/last-known-good.ts'
import { lastKnownGoodPart } from '../../src/discovery/last-known-good-store.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { isHeld } from '../../src/model/held.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { Database } from '../../src/state/database.ts'
import { WriteBehind } from '../../src/state/write-behind.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { makeTestClock } from '../contract/test-clock.ts'
import { localStore } from '../state/local-store.ts'

const web = serviceKey('shop', 'web')
const day = 86_400_000
const dc1: RecallOf = { name: 'dc1', settings: 'one', maxAgeMs: day, admitAddress: address => address }

/** One life of a gateway on a file. */
function begin(path: string, confirmedAt: number | null = 0) {
  const table = new EndpointTable(() => undefined)
  const damages: string[] = []
  const database = new Database({ ...lastKnownGoodPart, path, wall: () => 0, onDamage: text => void damages.push(text) })
  let writer: WriteBehind | undefined
  const kept = new LastKnownGood({
    store: localStore(lastKnownGoodPart.open(database)),
    writer: write => (writer = new WriteBehind({ clock: makeTestClock(), write, onFailure: error => t.error(error), delayMs: 1000 })),
    group: (source, id) => table.group(source, id),
    confirmedAt: () => confirmedAt ?? undefined,
  })
  const apply = (groups: readonly EndpointGroup[]): void => {
    table.apply({ name: 'dc1', type: 'consul' }, groups, 0)
    kept.note('dc1', groups)
  }
  return {
    kept,
    damages,
    put(id: string, ...addresses: string[]) {
      const endpoints = addresses.map(address =>
        makeEndpoint({ address, port: 80, id: address, tags: ['v2'], meta: { a: 'b' }, weight: 50 }),
      )
      apply([{ id, service: web, endpoints }])
    },
    apply,
    async end() {
      await writer?.stop()
      database.close()
    },
  }
}

async function file(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-lkg-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'last-known-good.db')
}

t.test('what was in force last is recalled, as suspect, with its age (discovery.md 5.8)', async t => {
  const path = await file(t)
  const first = begin(path)
  t.equal(await first.kept.recall(dc1, 0), undefined, 'at the very first start there is nothing')
  first.put('web', '10.0.0.1', '10.0.0.2')
  first.put('gone', '10.0.0.9')
  first.put('web', '10.0.0.1')
  first.put('gone')
  await first.end()
  const second = begin(path, null)
  const recall = await second.kept.recall(dc1, 3_600_000)
  if (recall === undefined || 'reason' in recall) throw new Error('nothing was recalled')
  t.equal(recall.confirmedAt, 0)
  t.match(recall.groups, [
    { id: 'web', service: web, endpoints: [{ address: '10.0.0.1', presence: 'suspect', weight: 50, tags: ['v2'], meta: { a: 'b' } }] },
  ])
  t.equal(recall.groups.length, 1)
  const [endpoint] = recall.groups[0]?.endpoints ?? []
  t.ok(endpoint !== undefined && isHeld(endpoint))
  t.match(endpoint?.reasons, [{ code: 'last-known-good', text: /1970-01-01T00:00:00\.000Z/ }])
  second.kept.refresh()
  await second.end()
  t.match(
    await begin(path).kept.recall(dc1, day + 1),
    { reason: /longer ago than guards\.maxStaleSeconds/ },
    'a life that read nothing makes it no younger',
  )
})

t.test('what is too old, of other settings, or of no admitted address is refused with a reason', async t => {
  const path = await file(t)
  const first = begin(path)
  await first.kept.recall(dc1, 0)
  first.put('web', '10.0.0.1', '10.9.0.1')
  await first.end()
  const { kept } = begin(path)
  t.match(await kept.recall({ ...dc1, settings: 'two' }, 0), { reason: /settings of dc1 are others/ })
  t.match(await kept.recall(dc1, day + 1), { reason: /longer ago/ })
  t.match(await kept.recall(dc1, -5000), { confirmedAt: -5000 }, 'a clock that was set back')
  const admitAddress = (address: string): string => {
    if (address.startsWith('10.9.')) throw new Error(`${address} is outside addresses.only`)
    return address
  }
  t.match(await kept.recall({ ...dc1, admitAddress }, 0), {
    groups: [{ endpoints: [{ address: '10.0.0.1' }] }],
    refused: [/10\.9\.0\.1 is outside/],
  })
  kept.forget('dc1')
  kept.forget('never-there')
})

t.test('a source that was never read completely, or was taken away, leaves nothing', async t => {
  const path = await file(t)
  const first = begin(path, null)
  await first.kept.recall(dc1, 0)
  first.put('web', '10.0.0.1')
  await first.end()
  t.equal(await begin(path).kept.recall(dc1, 0), undefined)
  const second = begin(path)
  await second.kept.recall(dc1, 0)
  second.put('web', '10.0.0.1')
  second.kept.forget('dc1')
  await second.end()
  t.equal(await begin(path).kept.recall(dc1, 0), undefined)
  const third = begin(path)
  await third.kept.recall(dc1, 0)
  third.put('web', '10.0.0.1')
  await third.end()
  const fourth = begin(path, null)
  await fourth.kept.keepOnly(['dc1'])
  await fourth.end()
  const fifth = begin(path, null)
  t.ok(await fifth.kept.recall(dc1, 0))
  await fifth.kept.keepOnly(['dc2'])
  await fifth.end()
  t.equal(await begin(path).kept.recall(dc1, 0), undefined, 'a source that is configured no more')
})

t.test('rows that are no endpoints are damage: moved aside and reported, nothing of them is served', async t => {
  for (const text of ['[{', '{}', '[{"address":"10.0.0.1","port":0}]', '[null]']) {
    const path = await file(t)
    const first = begin(path)
    await first.kept.recall(dc1, 0)
    first.put('web', '10.0.0.1')
    await first.end()
    const raw = new DatabaseSync(path)
    raw.prepare('UPDATE groups SET endpoints = ?').run(text)
    raw.close()
    const second = begin(path)
    t.equal(await second.kept.recall(dc1, 0), undefined, text)
    t.match(second.damages, [/was damaged .* moved to/], text)
    await second.end()
  }
})

t.test('an endpoint in a mesh is recalled as one that nobody can speak to yet: certificates are not kept', async t => {
  const path = await file(t)
  const first = begin(path)
  await first.kept.recall(dc1, 0)
  const mesh = { identity: 'spiffe://x/svc/web', certificate: 'c', validation: 'v' }
  first.apply([{ id: 'web', service: web, endpoints: [makeEndpoint({ address: '10.0.0.1', port: 80, id: 'a', mesh })] }])
  await first.end()
  const second = begin(path)
  const recalled = await second.kept.recall(dc1, 0)
  t.match(recalled, { groups: [{ endpoints: [{ presence: 'suspect', mesh: { locked: /not read since/ } }] }] })
  await second.end()
})
