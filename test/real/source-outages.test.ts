import t from 'tap'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { killEachSource } from './source-outages.ts'

enterOwnNetwork()
t.setTimeout(240_000)

t.test('Consul in two datacenters, an API server and an agent, each killed in turn: no request fails, no endpoint is lost', async t => {
  // `npm run soak:outage` does the same with a minute each.
  t.ok((await killEachSource(t, 8)) > 2000)
})
