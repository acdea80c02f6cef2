import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { command } from '../tools/cache.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice, kubeService, podName, podPort, startPods } from '../tools/kube-objects.ts'
import { kubectlPath } from '../tools/kubectl.ts'
import { startLoad } from '../tools/load.ts'
import { temporaryFolder } from '../tools/local.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { get } from './get.ts'

/**
 * The installation as README tells it, on a real API server: kubectl applies deploy/kubernetes and the quick start, then what its Deployment
 * runs runs here, as the service account, with the settings of the ConfigMap and on the ports of the Service.
 */

enterOwnNetwork()
t.setTimeout(150_000)
const folder = await temporaryFolder(t)
const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
const kubectlProgram = await kubectlPath()
const environment = { ...process.env, KUBECONFIG: await cluster.kubeconfigFile() }
const kubectl = (line: string): Promise<string> => command(kubectlProgram, line.split(' '), { cwd: repository, env: environment })

const addresses = ['10.77.1.1', '10.77.1.2', '10.77.1.3']
const pods = await startPods(t, addresses)

/** What the image's command runs. */
const isthmus = (...args: readonly string[]): Promise<string> =>
  command(process.execPath, [join(repository, 'src/main.ts'), ...args], { cwd: repository })

const readme = await readFile(join(repository, 'README.md'), 'utf8')
const chapter = readme.slice(
  readme.indexOf('## In a Kubernetes cluster'),
  readme.indexOf('\n## ', readme.indexOf('## In a Kubernetes cluster') + 1),
)
const told = [...chapter.matchAll(/^kubectl (.+)$/gm)].map(found => (found[1] ?? '').replace(/ +#.*/, ''))

await t.test('the commands of README install it', async t => {
  const applied = told.filter(line => /^(apply|wait) /.test(line))
  t.ok(applied.length >= 2, 'README has them')
  for (const line of applied) t.ok(await kubectl(line), line)
})

await t.test('what its Deployment runs starts with the rights and settings that were installed', t => t.resolves(startPod()))

await t.test('requests through the quick start reach the pods, and only those that are ready', async t => {
  const [first, second, third] = addresses.map((address, index) => ({ address, ready: index < 2 }))
  if (first === undefined || second === undefined || third === undefined) throw new Error('no pods')
  await cluster.apply(kubeService('quote'), endpointSlice('quote-a', 'quote', [first, third]), endpointSlice('quote-b', 'quote', [second]))
  await until('both pods answer', () => new Set([podName(first.address), podName(second.address)]))
  t.equal(pods[2]?.requests, 0)
  for (const { address } of [first, second]) {
    const why = await isthmus('why', 'quote', `${address}:${String(podPort)}`)
    t.match(why, /^served: /)
    t.match(why, new RegExp(podName(address)), 'it is called by its name')
    t.match(why, /isthmus-0 .*(synced|acked)/i, 'and what Envoy has of it')
  }
  const why = await isthmus('why', 'quote', `${third.address}:${String(podPort)}`)
  t.match(why, /^withheld: .*the pod is not ready/)
  await cluster.apply(endpointSlice('quote-a', 'quote', [first, { ...third, ready: true }]))
  await until('all pods answer', () => new Set(addresses.map(podName)))
})

await t.test('what became of the objects stands in their status, and in `isthmus objects`', async t => {
  t.match(await isthmus('objects'), /Mapping +default +quote-backend +accepted/)
  const asked = told.find(line => line.startsWith('get ')) ?? ''
  await eventually('kubectl shows it', async () => {
    const shown = await kubectl(asked)
    return ['mapping', 'host', 'listener'].every(kind => new RegExp(`${kind}.getambassador.io/.* True `).test(shown))
  })
})

await t.test('a right that is taken away is named and takes no endpoint; when it is back, what happened meanwhile arrives', async t => {
  const load = startLoad({ url: 'http://127.0.0.1:8080/backend/', requestsPerSecond: 50 })
  const [role] = parseAllDocuments(await kubectl('get clusterrole isthmus -o yaml')).map(one => one.toJS() as KubeManifest)
  if (role === undefined) throw new Error('no ClusterRole')
  const { metadata, ...rest } = role
  const rules = (rest['rules'] as readonly { resources: readonly string[] }[]).filter(one => !one.resources.includes('endpointslices'))
  const roleWith = (list: unknown): KubeManifest => ({ ...rest, metadata: { name: metadata.name }, rules: list })
  await cluster.apply(roleWith(rules))
  const named =
    /kubernetes +stale [^]*^cluster: .*endpointslices.* is forbidden: .*: grant list and watch on endpointslices in all namespaces/m
  await eventually('it is named', async () => named.test(await isthmus('sources')), 40_000)
  await cluster.apply(endpointSlice('quote-b', 'quote', []))
  t.match(await isthmus('why', 'quote', `${addresses[1] ?? ''}:${String(podPort)}`), /^served: /, 'endpoints stay')
  await cluster.apply(roleWith(rest['rules']))
  await eventually('it is well again', async () => /cluster +kubernetes +live/.test(await isthmus('sources')), 60_000)
  await eventually('and up to date', async () => !(await isthmus('endpoints', 'quote')).includes(addresses[1] ?? ''))
  const report = await load.stop()
  t.same(report.failures, [])
  t.ok(report.requests > 50)
})

await t.test('a pod that is taken away is not ready from now on, and still answers whoever comes', async t => {
  const { gateway, envoy } = await pod()
  const { path, port } = envoy.readinessProbe.httpGet
  const ready = `http://127.0.0.1:${String(envoy.ports.find(one => one.name === port)?.containerPort)}${path}`
  t.equal((await get(ready)).status, 200)
  const [node, ...args] = gateway.lifecycle.preStop.exec.command
  t.equal(node, 'node')
  await command(process.execPath, args)
  t.equal((await get(ready)).status, 503)
  t.equal((await get('http://127.0.0.1:8080/backend/')).status, 200)
})

/** Mounts, settings, environment and commands of the Deployment, as a kubelet would bring them. */
async function startPod(): Promise<void> {
  const account = '/run/secrets/kubernetes.io/serviceaccount'
  for (const mounted of ['/run', '/var/lib']) await command('mount', ['-t', 'tmpfs', 'tmpfs', mounted])
  await mkdir(account, { recursive: true })
  await writeFile(join(account, 'token'), await cluster.serviceAccountToken('isthmus', 'isthmus'))
  await writeFile(join(account, 'namespace'), 'isthmus')
  await writeFile(join(account, 'ca.crt'), await readFile(cluster.caFile))
  const { data } = parse(await kubectl('-n isthmus get configmap isthmus -o yaml')) as { data: Record<string, string> }
  const settings = data['isthmus.yaml'] ?? ''
  // Rights are checked when a watch begins: these begin often.
  const hasty = settings.replace('type: kubernetes }', 'type: kubernetes, watches: { watchSeconds: 2 } }')
  if (hasty === settings) throw new Error(`another source: ${settings}`)
  await writeFile(join(folder, 'isthmus.yaml'), hasty)
  const { bootstrap, gateway: container } = await pod()
  const names = { POD_NAME: 'isthmus-0', POD_NAMESPACE: 'isthmus', ISTHMUS_ID: 'isthmus-0' }
  const args = container.args.map(one => one.replace('/etc/isthmus', folder))
  const gateway = await startProcess(process.execPath, [join(repository, 'src/main.ts'), ...args], {
    cwd: repository,
    env: { ...names, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.port) },
  })
  t.teardown(() => gateway.stop(20_000))
  await gateway.until('it is not ready', async () => (await fetch('http://127.0.0.1:8877/readyz')).ok, 40_000)
  const [shell = '', ...words] = bootstrap.command.map(one => one.replace('/bootstrap', folder))
  const path = [join(repository, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter)
  await command(shell, words, { cwd: repository, env: { ...process.env, ...names, PATH: path } })
  const envoy = await startEnvoy({ bootstrap: await readFile(join(folder, 'envoy.json'), 'utf8'), adminPort: 19_000 })
  t.teardown(() => envoy.stop())
  await envoy.untilReady()
}

/** What its Deployment says of the parts of a pod. */
async function pod(): Promise<Pod> {
  const { spec } = parse(await kubectl('-n isthmus get deployment isthmus -o yaml')) as Deployment
  const { initContainers, containers } = spec.template.spec
  const named = (name: string): object | undefined => [...initContainers, ...containers].find(one => one.name === name)
  return { bootstrap: named('bootstrap'), gateway: named('isthmus'), envoy: named('envoy') } as Pod
}

interface Pod {
  readonly bootstrap: { readonly command: readonly string[] }
  readonly gateway: {
    readonly args: readonly string[]
    readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
  }
  readonly envoy: {
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
    readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: string } }
  }
}

interface Deployment {
  readonly spec: {
    readonly template: { readonly spec: Readonly<Record<'initContainers' | 'containers', readonly { readonly name: string }[]>> }
  }
}

/** Requests one after the other until each of these has answered, and nobody else. */
async function until(what: string, instances: () => ReadonlySet<string>): Promise<void> {
  const missing = new Set(instances())
  await eventually(what, async () => {
    const { status, body } = await get('http://127.0.0.1:8080/backend/')
    if (status === 200) missing.delete((JSON.parse(body) as { instance: string }).instance)
    return missing.size === 0
  })
}
