import { chmod, copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createKubeClient } from '../../plugins/kubernetes/client.ts'
import type { KubeTarget } from '../../plugins/kubernetes/credentials.ts'
import { KubeFailure } from '../../plugins/kubernetes/failure.ts'
import { kubernetesPlugin } from '../../plugins/kubernetes/index.ts'
import { makeGiven, startRun } from '../contract/harness.ts'
import { temporaryFolder, type Teardown } from '../tools/local.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { makeAuthority, makeCertificate } from '../xds/certificates.ts'

const folder = await temporaryFolder(t)
const authority = await makeAuthority(folder, 'authority')
const cluster = await startKubeCluster({ users: { gateway: [], nobody: [] }, flags: [`--client-ca-file=${authority.certFile}`] })
t.teardown(() => cluster.stop())
t.setTimeout(120_000)

const rbac = 'rbac.authorization.k8s.io'
const subjects = [
  { kind: 'User', apiGroup: rbac, name: 'gateway' },
  { kind: 'ServiceAccount', name: 'isthmus', namespace: 'default' },
]
const role: KubeManifest = {
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRole',
  metadata: { name: 'gateway' },
  rules: [
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['services', 'nodes'], verbs: ['list', 'watch'] },
  ],
}
await cluster.apply(
  role,
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'gateway' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'gateway' },
    subjects,
  },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'isthmus', namespace: 'default' } },
)

/** How a call with these credentials ends: `allowed`, or the kind of its failure and what it says. */
async function outcome(t: Teardown, target: KubeTarget): Promise<string> {
  const client = createKubeClient(target)
  t.teardown(() => client.close())
  return tried(client)
}

async function tried(client: ReturnType<typeof createKubeClient>): Promise<string> {
  try {
    await client.call({ path: '/apis/discovery.k8s.io/v1/endpointslices' })
    return 'allowed'
  } catch (error) {
    return error instanceof KubeFailure ? `${error.kind}: ${error.message}` : String(error)
  }
}

const config = (auth: Readonly<Record<string, unknown>>) => cluster.kubeconfigFile({ auth })

/** A file that replaces another in one step, as the kubelet does it. */
async function swap(file: string, text: string): Promise<void> {
  await writeFile(`${file}.next`, text)
  await rename(`${file}.next`, file)
}

t.test('client certificates, in files and in the kubeconfig, also after they were renewed', async t => {
  const good = await makeCertificate(folder, 'gateway', authority)
  const stranger = await makeCertificate(folder, 'nobody', authority)
  const foreign = await makeCertificate(folder, 'foreign', await makeAuthority(folder, 'another'))
  const data = async (file: string): Promise<string> => (await readFile(file)).toString('base64')
  const inFiles = (files: typeof good) => ({ 'client-certificate': files.certFile, 'client-key': files.keyFile })
  const inText = { 'client-certificate-data': await data(good.certFile), 'client-key-data': await data(good.keyFile) }
  t.equal(await outcome(t, { kubeconfig: await config(inFiles(good)) }), 'allowed')
  t.equal(await outcome(t, { kubeconfig: await config(inText) }), 'allowed')
  t.match(await outcome(t, { kubeconfig: await config(inFiles(stranger)) }), /^forbidden: .*nobody/)
  t.match(await outcome(t, { kubeconfig: await config(inFiles(foreign)) }), /^(unauthorized|forbidden): /)
  t.match(
    await outcome(t, { kubeconfig: await config({ ...inFiles(good), 'client-key': '/nowhere/key' }) }),
    /^unauthorized: \/nowhere\/key/,
  )
  const used = { certFile: join(folder, 'used.crt'), keyFile: join(folder, 'used.key') }
  await Promise.all([copyFile(foreign.certFile, used.certFile), copyFile(foreign.keyFile, used.keyFile)])
  const client = createKubeClient({ kubeconfig: await config(inFiles(used)) })
  t.teardown(() => client.close())
  t.not(await tried(client), 'allowed')
  await swap(used.certFile, await readFile(good.certFile, 'utf8'))
  await swap(used.keyFile, await readFile(good.keyFile, 'utf8'))
  t.equal(await tried(client), 'allowed', 'a new connection is made with the new one')
})

t.test('contexts: the one asked for, else the current one; what does not exist is named', async t => {
  const file = await cluster.kubeconfigFile({ user: 'gateway' })
  const known = JSON.parse(await readFile(file, 'utf8')) as Record<string, object[]>
  const nowhere = { name: 'far', context: { cluster: 'far', user: 'gateway' } }
  const broken = { name: 'broken', context: { cluster: 'none', user: 'gateway' } }
  const far = { name: 'far', cluster: { server: 'https://127.0.0.1:1' } }
  const contexts = [...(known['contexts'] ?? []), nowhere, broken]
  await writeFile(file, JSON.stringify({ ...known, 'current-context': 'far', contexts, clusters: [...(known['clusters'] ?? []), far] }))
  t.equal(await outcome(t, { kubeconfig: file, context: 'test' }), 'allowed')
  t.match(await outcome(t, { kubeconfig: file }), /^unreachable: .*127\.0\.0\.1:1.*ECONNREFUSED/)
  t.match(await outcome(t, { kubeconfig: file, context: 'tset' }), /^unauthorized: .*contexts has no "tset"/)
  t.match(await outcome(t, { kubeconfig: file, context: 'broken' }), /^unauthorized: .*clusters has no "none"/)
})

t.test('an exec plug-in gives the token, is asked again when that ends or is refused, and is named when it fails', async t => {
  const script = join(folder, 'plugin.sh')
  const answer = join(folder, 'answer.json')
  const calls = join(folder, 'calls')
  // It tells which cluster it was asked for, and how often.
  await writeFile(script, `#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> ${calls}\necho "$NOTE" >&2\ncat ${answer}\n`)
  await chmod(script, 0o755)
  const say = (status: object): Promise<void> =>
    swap(answer, JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }))
  const asked = async (): Promise<readonly string[]> => (await readFile(calls, 'utf8')).trim().split('\n')
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: script,
    args: [],
    env: [{ name: 'NOTE', value: 'no card in the reader' }],
    provideClusterInfo: true,
    installHint: 'install the reader',
  }
  await say({ token: 'gateway-token' })
  const client = createKubeClient({ kubeconfig: await config({ exec }) })
  t.teardown(() => client.close())
  t.equal(await tried(client), 'allowed')
  t.equal(await tried(client), 'allowed')
  t.equal((await asked()).length, 1, 'what has no end is asked for once')
  t.match(JSON.parse((await asked())[0] ?? ''), { kind: 'ExecCredential', spec: { cluster: { server: cluster.url } } })

  await say({ token: 'refused', expirationTimestamp: new Date(Date.now() + 5000).toISOString() })
  const second = createKubeClient({ kubeconfig: await config({ exec }) })
  t.teardown(() => second.close())
  t.match(await tried(second), /^unauthorized: /)
  await say({ token: 'gateway-token', expirationTimestamp: new Date(Date.now() + 5000).toISOString() })
  t.equal(await tried(second), 'allowed', 'a refusal makes it ask again')
  const before = (await asked()).length
  t.equal(await tried(second), 'allowed')
  t.equal((await asked()).length, before + 1, 'its end is nearer than the margin: asked before every call')

  await swap(answer, 'no credential')
  t.match(await outcome(t, { kubeconfig: await config({ exec }) }), /^unauthorized: .*plugin\.sh failed: .*install the reader/s)
  const missing = { ...exec, command: join(folder, 'missing') }
  t.match(await outcome(t, { kubeconfig: await config({ exec: missing }) }), /^unauthorized: .*missing failed: .*ENOENT/s)
})

t.test('in a pod: the service account, whose token is read again when it is replaced', async t => {
  const pod = join(folder, 'serviceaccount')
  await mkdir(pod)
  await copyFile(cluster.caFile, join(pod, 'ca.crt'))
  await writeFile(join(pod, 'namespace'), 'default')
  await writeFile(join(pod, 'token'), 'expired')
  const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.port) }
  const client = createKubeClient({ pod: { environment, folder: pod } })
  t.teardown(() => client.close())
  t.equal(client.namespace, 'default')
  t.match(await tried(client), /^unauthorized: /)
  await swap(join(pod, 'token'), await cluster.serviceAccountToken('default', 'isthmus'))
  t.equal(await tried(client), 'allowed')
  await cluster.delete({ apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'gateway' } })
  t.match(await tried(client), /^forbidden: .*system:serviceaccount:default:isthmus/)
  t.match(await outcome(t, { pod: { environment: {}, folder: pod } }), /^unauthorized: this is no pod of a cluster/)
  const elsewhere = { environment, folder: join(folder, 'elsewhere') }
  t.match(await outcome(t, { pod: elsewhere }), /^unauthorized: .*elsewhere\/ca\.crt cannot be read/)
})

t.test('a kubeconfig that is edited moves the source to the other cluster without a restart', async t => {
  const other = await startKubeCluster()
  t.teardown(() => other.stop())
  const slice = (address: string): KubeManifest => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address] }],
    ports: [{ name: 'http', port: 8080 }],
  })
  await Promise.all([cluster.apply(slice('10.0.0.1')), other.apply(slice('10.0.0.2'))])
  const kubeconfig = await cluster.kubeconfigFile()
  const run = startRun(kubernetesPlugin.create({ kubeconfig }, makeGiven()).source, { random: Math.random })
  t.teardown(() => run.stop())
  await run.recording.untilServed('default/web', '10.0.0.1:8080')
  const { length } = run.recording.emissions
  await swap(kubeconfig, other.kubeconfig())
  await run.recording.untilServed('default/web', '10.0.0.2:8080')
  t.ok(
    run.recording.emissions
      .slice(length)
      .flat()
      .every(group => group.endpoints.length > 0),
    'nothing was cleared in between',
  )
})
