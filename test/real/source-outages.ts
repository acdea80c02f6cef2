import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startKubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice, podName, podPort, startPods } from '../tools/kube-objects.ts'
import { startLoad } from '../tools/load.ts'
import { type Child, eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { startKubeStage } from './kube-stage.ts'

/** What can be taken away. */
interface Registry {
  readonly name: string
  kill(): Promise<unknown>
  restart(): Promise<unknown>
  /** The gateway has noticed that it is gone; where that takes a lease's time, nothing is waited for. */
  readonly noticed: 'stale' | 'by lease'
}

/** Addresses of the service, one known to each source, within the test's own network. */
const addresses = ['10.77.40.1', '10.77.40.2', '10.77.40.3', '10.77.40.4'] as const

/**
 * One service known to Consul in two datacenters that are joined over WAN, to a Kubernetes API server and to a VM's agent: each of them is
 * killed in turn for so long and started again, under load through Envoy. Every endpoint stays and no request fails (issue 5). Gives how
 * many requests there were. Within a network of its own (own-network.ts).
 */
export async function killEachSource(t: Test, seconds: number): Promise<number> {
  await startPods(t, addresses)
  const dc1 = await startConsul({ persistent: true, datacenter: 'dc1', config: { node_name: 'node-1' } })
  t.teardown(() => dc1.stop())
  const dc2 = await startConsul({
    persistent: true,
    datacenter: 'dc2',
    config: { node_name: 'node-2', retry_join_wan: [`127.0.0.1:${String(dc1.ports['serf_wan'])}`], retry_interval_wan: '1s' },
  })
  t.teardown(() => dc2.stop())
  await eventually('the datacenters know each other', async () => {
    const known = (await dc1.request('GET', '/v1/catalog/datacenters')) as readonly string[]
    return known.length === 2
  })
  const cluster = await startKubeCluster()
  t.teardown(() => cluster.stop())
  for (const [index, consul] of [dc1, dc2].entries())
    await consul.register({ name: 'web', id: `web-${String(index)}`, address: addresses[index] ?? '', port: podPort })
  await cluster.apply(endpointSlice('web', 'web', [{ address: addresses[2] }]))
  const stage = await startKubeStage(
    t,
    [
      { name: 'dc1', type: 'consul', address: dc1.url, datacenter: 'dc1' },
      { name: 'dc2', type: 'consul', address: dc2.url, datacenter: 'dc2' },
      { name: 'cluster', type: 'kubernetes', kubeconfig: await cluster.kubeconfigFile() },
      { name: 'vms', type: 'vm' },
    ],
    ['web'],
  )
  const startAgent = (): Promise<Child> =>
    startProcess(process.execPath, [
      join(repository, 'vm-agent/src/main.ts'),
      ...['--gateway', stage.agentsUrl, '--id', 'vm-1', '--address', addresses[3]],
      ...['--service', `name=web,port=${String(podPort)},check=http:/health`, '--probe-interval', '0.2', '--rise', '1'],
    ])
  let agent = await startAgent()
  t.teardown(() => agent.stop())
  const hosts = async (): Promise<string> => [...(await stage.hosts('default/web')).keys()].sort().join()
  await stage.untilHosts('default/web', addresses)

  const registries: readonly Registry[] = [
    { name: 'dc1', kill: () => dc1.kill(), restart: () => dc1.restart(), noticed: 'stale' },
    { name: 'dc2', kill: () => dc2.kill(), restart: () => dc2.restart(), noticed: 'stale' },
    { name: 'cluster', kill: () => cluster.kill(), restart: () => cluster.restart(), noticed: 'stale' },
    { name: 'vms', kill: () => agent.kill(), restart: async () => (agent = await startAgent()), noticed: 'by lease' },
  ]
  const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 100, maxSeconds: registries.length * (seconds + 60) })
  for (const { name, kill, restart, noticed } of registries) {
    await kill()
    if (noticed === 'stale') await eventually(`${name} is stale`, async () => (await stage.source(name)).state === 'stale', 60_000)
    // The outage itself is the event.
    await sleep(seconds * 1000)
    t.equal(await hosts(), addresses.join(), `Envoy has every endpoint after ${String(seconds)} s without ${name}`)
    t.equal((await stage.source(name)).endpoints, 1)
    await restart()
    await eventually(`${name} is live again`, async () => (await stage.source(name)).state === 'live', 60_000)
    await stage.untilHosts('default/web', addresses)
  }
  const report = await load.stop()
  t.same(report.failures, [], 'no request failed')
  for (const address of addresses) t.ok((report.instances.get(podName(address)) ?? 0) > 100, `${address} had its share`)
  return report.requests
}
