import t from 'tap'
import { killEachSource } from '../real/source-outages.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'

/** `npm run soak:outage`: every source is away for 60 s in turn, under load through Envoy (issue 5). */

enterOwnNetwork()
t.setTimeout(900_000)

await t.test('each source is killed for 60 s in turn: no request fails, no endpoint is lost', async t => {
  t.comment(`${String(await killEachSource(t, 60))} requests`)
})
