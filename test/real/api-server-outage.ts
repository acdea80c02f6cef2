import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { KubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice } from '../tools/kube-objects.ts'
import { startLoad } from '../tools/load.ts'
import { eventually } from '../tools/process.ts'
import type { KubeStage } from './kube-stage.ts'

export interface Outage {
  /** Reads a source `cluster` that looks for drift every second or two; has routes /web/ and /old/. */
  readonly stage: KubeStage
  readonly cluster: KubeCluster
  /** At least six, of Service `web`; another of Service `old`. */
  readonly pods: readonly string[]
  readonly old: string
  readonly seconds: number
}

/**
 * Kills the API server within churn and starts it again after so long: endpoints stay, what happened meanwhile arrives, a list beside the
 * watches finds nothing that they missed, and no request fails.
 */
export async function killWithinChurn(t: Test, { stage, cluster, pods, old, seconds }: Outage): Promise<void> {
  const half = pods.length / 2
  /** Half of the pods, another one in each step. */
  const window = (step: number): readonly string[] => pods.map((_, index) => pods[(step + index) % pods.length] ?? '').slice(0, half)
  const put = (step: number): Promise<void> =>
    cluster.apply(
      endpointSlice(
        'web',
        'web',
        window(step).map(address => ({ address })),
      ),
    )
  await cluster.apply(endpointSlice('old', 'old', [{ address: old }]))
  await put(0)
  await stage.untilHosts('default/web', window(0))
  await stage.untilHosts('default/old', [old])
  const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 50, maxSeconds: seconds + 120 })
  let steps = 0
  const churn = (async () => {
    for (;;) {
      await put(steps + 1)
      steps++
    }
  })().catch((error: unknown) => error)
  await eventually('there is churn', () => steps > 5)
  await cluster.kill()
  t.ok(await churn, 'the churn ends with the API server')
  await eventually('it is named', async () => {
    const { state, error } = await stage.source()
    return state === 'stale' && error?.code === 'kubernetes-unreachable'
  })
  const kept = [...(await stage.hosts('default/web'))]
  t.equal(kept.length >= half, true)
  await sleep(seconds * 1000)
  t.same([...(await stage.hosts('default/web'))], kept, 'endpoints stay')
  t.same([...(await stage.hosts('default/old')).keys()], [old])

  await cluster.restart()
  await cluster.delete(endpointSlice('old', 'old', []))
  await put(steps + 3)
  await stage.untilHosts('default/web', window(steps + 3))
  await stage.untilHosts('default/old', [])
  await eventually('the source is well', async () => (await stage.source()).state === 'live')
  const lists = await stage.watch('lists')
  await eventually('a list looked for drift', async () => (await stage.watch('lists')) > lists, 60_000)
  t.equal(await stage.watch('drift'), 0)
  const report = await load.stop()
  t.same(report.failures, [])
  t.ok(report.requests > 50)
}
