import t from 'tap'
import { serviceKey } from '../../src/model/service-key.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePort } from '../tools/local.ts'
import { endpoint, poolOf, specOf } from '../xds/generate/pools.ts'
import { edsCluster, forward, listener, tableOf } from '../xds/generate/tables.ts'
import { atRest } from './static-bootstrap.ts'

t.test('Envoy reaches an instance by its second address when the first one does not answer (discovery.md 1.2)', async t => {
  const backends = await startBackends(t, 1, { address: '::1' })
  const [backend] = backends
  // Nobody listens on that port of 127.0.0.1.
  const pool = poolOf({ cluster: [endpoint(`127.0.0.1:${String(backend.port)}`, { additionalAddresses: ['::1'] })] })
  const adminPort = await freePort()
  const port = await freePort()
  const cluster = edsCluster('web', { assignment: specOf({ name: 'web-endpoints', service: serviceKey('shop', 'web') }) })
  const table = tableOf([forward('/', 'web')], [cluster], [listener({ address: '127.0.0.1', port })])
  const envoy = await startEnvoy({ bootstrap: atRest(table, () => pool, adminPort), adminPort })
  t.teardown(() => envoy.stop())
  await envoy.untilReady()
  const answer = await fetch(`http://127.0.0.1:${String(port)}/`)
  t.equal(answer.status, 200)
  t.match(await answer.json(), { instance: backend.instance })
})
