import t from 'tap'
import { killWithinChurn } from '../real/api-server-outage.ts'
import { startKubeStage } from '../real/kube-stage.ts'
import { startKubeCluster } from '../tools/kube-cluster.ts'
import { startPods } from '../tools/kube-objects.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'

/** `npm run soak:kubernetes`: the API server is away for 30 s within churn, three times (issue 4). */

enterOwnNetwork()
t.setTimeout(600_000)
const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
const addresses = Array.from({ length: 12 }, (_, index) => `10.77.1.${String(index + 1)}`)
const old = '10.77.1.100'
await startPods(t, [...addresses, old])
const stage = await startKubeStage(
  t,
  [{ name: 'cluster', type: 'kubernetes', kubeconfig: await cluster.kubeconfigFile(), watches: { relistSeconds: 2 } }],
  ['web', 'old'],
)
for (const round of [1, 2, 3]) {
  await t.test(`round ${String(round)}: an API server that is away for 30 s within churn`, test =>
    killWithinChurn(test, { stage, cluster, pods: addresses, old, seconds: 30 }),
  )
}
