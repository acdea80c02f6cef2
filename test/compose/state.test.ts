import { Worker } from 'node:worker_threads'
import t from 'tap'
import { openState } from '../../src/compose/state.ts'
import { systemClock } from '../../src/discovery/system-clock.ts'
import { Ledger } from '../../src/operate/ledger.ts'
import { ledgerPart } from '../../src/operate/ledger-store.ts'
import { temporaryFolder } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'

t.test('when the thread that keeps the state dies, that is shown, nothing is lost or entered twice, and it goes on', async t => {
  const workers: Worker[] = []
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const state = openState({ state: { path: await temporaryFolder(t) } }, systemClock, log, (entry, parts) => {
    const worker = new Worker(entry, { workerData: parts })
    workers.push(worker)
    return worker
  })
  t.teardown(() => state.close())
  const ledger = new Ledger({
    clock: systemClock,
    random: Math.random,
    store: state.store(ledgerPart, { maxAgeMs: 86_400_000, maxBytes: 1_000_000 }),
    writer: write => state.writeBehind(ledgerPart, write, 10),
  })
  const note = (text: string) => ledger.record({ revision: 1, service: undefined, cause: 'resync', sources: [], actor: 'ada', text })
  const texts = async () => (await ledger.entries({ limit: 100 })).map(entry => entry.text)

  note('before')
  t.same(await texts(), ['before'])
  await workers.at(-1)?.terminate()
  await eventually('it is shown', () => state.problems.some(text => text.includes('the thread that keeps the state ended')))
  note('after')
  t.same(await texts(), ['before', 'after'])
  t.same(state.problems, [], 'the new one is well')

  // Killed at any moment of a write: perhaps it was entered already.
  const expected = ['before', 'after']
  for (let round = 0; round < 10; round++) {
    const text = `round ${String(round)}`
    expected.push(text)
    note(text)
    const asked = texts().catch(() => undefined)
    for (let turn = 0; turn < round; turn++) await new Promise(resolve => setImmediate(resolve))
    await workers.at(-1)?.terminate()
    await asked
    t.same(await eventually('it is answered again', () => texts()), expected)
  }
  t.ok(workers.length > 5)
  note('last')
  await state.close()
  await t.rejects(texts(), { code: 'state-unusable' })
})
