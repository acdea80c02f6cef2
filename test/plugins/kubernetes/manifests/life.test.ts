import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type KubeManifest, startKubeCluster } from '../../../tools/kube-cluster.ts'
import { crdFiles, deployed, emissary, get, install, mapping, startReplica, until } from './replica.ts'

/** Kinds that come and go, scopes, and several replicas, against a real API server. */

interface Conditions {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly message: string; readonly observedGeneration: number }[]
  }
}

interface LeaseBody {
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number }
}

const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
const crds = await deployed(...crdFiles)
const kubeconfig = await cluster.kubeconfigFile()
const crd = (plural: string): KubeManifest => {
  const found = crds.find(({ metadata }) => metadata.name.startsWith(`${plural}.`))
  if (found === undefined) throw new Error(`no CustomResourceDefinition of ${plural}`)
  return found
}
const isAbsent = (what: KubeManifest) => async (): Promise<boolean> =>
  get(cluster, what).then(
    () => false,
    (error: unknown) => String(error).includes(': 404 '),
  )
const conditionsOf = async (object: KubeManifest) => (await get<Conditions>(cluster, object)).status?.conditions ?? []

await t.test('kinds that are installed later are read without a restart, also after they were removed', async t => {
  const replica = startReplica(t, { kubeconfig })
  await until('in sync without any kind', () => replica.isSynced())
  t.same(replica.store.problems(), [], 'a kind that is not installed is no problem')
  await install(cluster, [crd('mappings')])
  await cluster.apply(mapping('one', { prefix: '/one/', service: 'one' }))
  await until('read', () => replica.status('Mapping', 'one') !== undefined)
  await cluster.delete(crd('mappings'))
  await until('gone', () => replica.status('Mapping', 'one') === undefined)
  await until('the kind is gone', isAbsent(crd('mappings')))
  await install(cluster, [crd('mappings')])
  await cluster.apply(mapping('two', { prefix: '/two/', service: 'two' }))
  await until('read again', () => replica.status('Mapping', 'two') !== undefined)
  t.same(replica.store.problems(), [])
  await cluster.delete(mapping('two', {}))
})

await t.test('a kind that is installed in another version only costs nothing but itself', async t => {
  const old = JSON.parse(JSON.stringify(crd('modules')).replaceAll('v3alpha1', 'v2')) as KubeManifest
  await install(cluster, [old])
  await cluster.apply({ ...emissary('Module', 'ambassador', { config: {} }), apiVersion: 'getambassador.io/v2' })
  const replica = startReplica(t, { kubeconfig })
  await until('in sync', () => replica.isSynced())
  await cluster.apply(mapping('beside', { prefix: '/', service: 'web' }))
  await until('the others are read', () => replica.status('Mapping', 'beside') !== undefined)
  t.equal(replica.status('Module', 'ambassador'), undefined)
  await cluster.delete(old)
  await until('the kind is gone', isAbsent(old))
})

await t.test('a CustomResourceDefinition without status takes none, and the others get theirs', async t => {
  const text = JSON.stringify(crd('hosts')).replace('"subresources":{"status":{}},', '')
  await install(cluster, [JSON.parse(text) as KubeManifest, crd('listeners')])
  const host = emissary('Host', 'bare', { hostname: 'bare.example.org' })
  const listener = emissary('Listener', 'http', {
    port: 8080,
    protocol: 'HTTP',
    securityModel: 'XFP',
    hostBinding: { namespace: { from: 'ALL' } },
  })
  const replica = startReplica(t, { kubeconfig })
  await cluster.apply(host, listener)
  await until('the Listener has a status', async () => (await conditionsOf(listener)).length > 0)
  await until('it is said', () => replica.warnings.some(one => one.includes('hosts.getambassador.io/status')))
  t.same(await conditionsOf(host), [])
  t.equal(replica.warnings.filter(one => one.includes('hosts.getambassador.io')).length, 1, 'once')
})

await t.test('all kinds can be installed over what is there', () => install(cluster, crds))

await t.test('one replica at a time writes status, and the next one takes over at once when it stops', async t => {
  const lease: KubeManifest = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'isthmus-status-pair', namespace: 'default' },
  }
  const holder = async () => (await get<KubeManifest & LeaseBody>(cluster, lease)).spec
  const pair = { kubeconfig, ambassadorIds: ['pair'] }
  const object = mapping('shared', { prefix: '/shared/', service: 'web', ambassador_id: ['pair'] })
  const first = startReplica(t, { ...pair, identity: 'first' })
  await until('the first one leads', async () => (await holder().catch(() => undefined))?.holderIdentity === 'first')
  const second = startReplica(t, { ...pair, identity: 'second' })
  await until('both are in sync', () => first.isSynced() && second.isSynced())
  await cluster.apply(object)
  await until('written', async () => (await conditionsOf(object)).length > 0)
  const { metadata } = await get<KubeManifest & { metadata: { resourceVersion: string } }>(cluster, object)
  await first.stop()
  t.not((await holder()).holderIdentity, 'first', 'it was given back')
  await until('the second one leads', async () => (await holder()).holderIdentity === 'second')
  const next = mapping('next', { prefix: '/next/', service: 'web', ambassador_id: ['pair'] })
  await cluster.apply(next)
  await until('the second one writes', async () => (await conditionsOf(next)).length > 0)
  const now = await get<KubeManifest & { metadata: { resourceVersion: string } }>(cluster, object)
  t.equal(now.metadata.resourceVersion, metadata.resourceVersion, 'what was right is not written anew')
  t.equal((await holder()).leaseTransitions, 1)
})

await t.test('a replica that dies without a word is followed when its lease has run out', async t => {
  await cluster.apply({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'isthmus-status-heir', namespace: 'default' },
    // Its clock is a day ahead: that must not matter.
    spec: {
      holderIdentity: 'dead',
      leaseDurationSeconds: 1,
      renewTime: new Date(Date.now() + 86_400_000).toISOString().replace('Z', '000Z'),
    },
  })
  startReplica(t, { kubeconfig, ambassadorIds: ['heir'], identity: 'heir' })
  const object = mapping('inherited', { prefix: '/', service: 'web', ambassador_id: ['heir'] })
  await cluster.apply(object)
  await until('the heir writes', async () => (await conditionsOf(object)).length > 0)
})

await t.test('namespaces and label selectors are honoured', async t => {
  await cluster.apply(...['red', 'blue'].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })))
  const labelled = mapping('labelled', { prefix: '/a/', service: 'web' }, 'red')
  await cluster.apply(
    { ...labelled, metadata: { ...labelled.metadata, labels: { tier: 'edge' } } },
    mapping('plain', { prefix: '/b/', service: 'web' }, 'red'),
    mapping('elsewhere', { prefix: '/c/', service: 'web' }, 'blue'),
  )
  const seenBy = async (options: Partial<Parameters<typeof startReplica>[1]>): Promise<readonly string[]> => {
    const replica = startReplica(t, { kubeconfig, publish: { status: false }, ...options })
    await until('in sync', () => replica.isSynced())
    const names = replica.store.statuses().map(({ ref }) => ref.name)
    await replica.stop()
    return names.filter(name => ['labelled', 'plain', 'elsewhere'].includes(name))
  }
  t.same(await seenBy({ namespaces: ['red'] }), ['labelled', 'plain'])
  t.same(await seenBy({ namespaces: ['red', 'blue'] }), ['elsewhere', 'labelled', 'plain'])
  const single = { AMBASSADOR_SINGLE_NAMESPACE: 'true', AMBASSADOR_NAMESPACE: 'blue' }
  t.same(await seenBy({ environment: single }), ['elsewhere'])
  t.same(await seenBy({ environment: { ...single, AMBASSADOR_SINGLE_NAMESPACE: 'false' } }), ['elsewhere', 'labelled', 'plain'])
  t.same(await seenBy({ environment: { AMBASSADOR_LABEL_SELECTOR: 'tier=edge' } }), ['labelled'])
  t.same(await seenBy({ environment: { AMBASSADOR_FIELD_SELECTOR: 'metadata.namespace!=red' } }), ['elsewhere'])
})

await t.test('a cluster that cannot be reached is named once, and takes nothing with it', async t => {
  const folder = t.testdir()
  const nowhere = join(folder, 'nowhere')
  await writeFile(nowhere, cluster.kubeconfig({ server: 'https://127.0.0.1:1' }))
  for (const [file, text] of [
    [nowhere, /the API server cannot be read: .*ECONNREFUSED/],
    [join(folder, 'missing'), /missing/],
  ] as const) {
    const replica = startReplica(t, { kubeconfig: file })
    const [problem, ...more] = await until('a problem', () => replica.store.problems().length > 0 && replica.store.problems())
    t.match(problem, { code: 'manifest-unreadable', at: 'cluster-a', text })
    t.same(more, [])
    t.notOk(replica.isSynced())
    await replica.stop()
  }
})

await t.test('without the right to a kind only that kind is missing, and it is named until the right is there', async t => {
  const reader = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'reader' } }
  const rules = (...resources: readonly string[]) => [{ apiGroups: ['getambassador.io'], resources, verbs: ['list', 'watch'] }]
  const subject = { kind: 'ServiceAccount', name: 'reader', namespace: 'default' }
  await cluster.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'reader', namespace: 'default' } },
    { ...reader, rules: rules('listeners') },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
      subjects: [subject],
    },
  )
  const token = await cluster.serviceAccountToken('default', 'reader')
  const replica = startReplica(t, { kubeconfig: await cluster.kubeconfigFile({ token }), publish: { status: false } })
  const mappings = (): boolean =>
    replica.store.problems().some(({ text }) => /^mappings\.getambassador\.io cannot be read: .*forbidden/.test(text))
  await until('in sync with what it may read', () => replica.isSynced() && replica.status('Listener', 'http') !== undefined)
  t.ok(mappings())
  await cluster.apply({ ...reader, rules: rules('listeners', 'mappings') })
  await until('Mappings are read', () => replica.status('Mapping', 'beside') !== undefined && !mappings())
})
