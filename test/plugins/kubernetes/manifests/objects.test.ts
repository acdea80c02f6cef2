import { readFile } from 'node:fs/promises'
import t from 'tap'
import { startKubeCluster } from '../../../tools/kube-cluster.ts'
import { makeAuthority } from '../../../xds/certificates.ts'
import { crdFiles, deployed, emissary, get, install, mapping, startReplica, until } from './replica.ts'

/** Objects of a real API server: read, changed, deleted; what the API server refuses; what becomes of them, in their status. */

interface WithStatus {
  readonly metadata: { readonly resourceVersion: string; readonly generation: number }
  readonly status?: {
    readonly state?: string
    readonly reason?: string
    readonly errorReason?: string
    readonly errorTimestamp?: string
    readonly loadBalancer?: { readonly ingress?: readonly object[] }
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason: string
      readonly message: string
      readonly observedGeneration: number
    }[]
  }
}

const other = {
  type: 'Somebody',
  status: 'True',
  reason: 'Else',
  message: 'a condition of another controller',
  lastTransitionTime: '2026-01-01T00:00:00Z',
}

const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
await install(cluster, await deployed(...crdFiles))
const kubeconfig = await cluster.kubeconfigFile()
const replica = startReplica(t, { kubeconfig, publish: { status: true, addresses: ['192.0.2.7', 'edge.example.org'] } })
const condition = (object: WithStatus, type: string) => object.status?.conditions?.find(one => one.type === type)
const prefixOf = (name: string) =>
  replica
    .compiled()
    .table.routeConfigs.flatMap(config => config.virtualHosts.flatMap(host => host.routes))
    .find(route => route.origins.some(origin => origin.name === name))?.match.path.value

await t.test('a kind that nobody uses keeps nothing from being in sync', () => until('in sync', () => replica.isSynced()))

await t.test('applied, changed and deleted objects are followed; their origin names cluster, namespace and name', async t => {
  await cluster.apply(
    emissary('Listener', 'http', { port: 8080, protocol: 'HTTP', securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } }),
  )
  await cluster.apply(mapping('web', { prefix: '/web/', service: 'web' }))
  await until('the route is there', () => prefixOf('web') === '/web/')
  t.equal(replica.status('Mapping', 'web')?.ref.at, 'cluster-a/default/web')
  await cluster.apply(mapping('web', { prefix: '/site/', service: 'web' }))
  await until('the route has changed', () => prefixOf('web') === '/site/')
  await cluster.delete(mapping('web', {}))
  await until('the route is gone', () => prefixOf('web') === undefined && replica.status('Mapping', 'web') === undefined)
})

await t.test('what does not fit the schema is refused by the API server', async t => {
  const bad = [
    mapping('bad', { prefix: '/', service: 'web', timeout_ms: 'soon' }),
    mapping('bad', { service: 'web' }),
    emissary('Listener', 'bad', { port: 70_000, protocol: 'HTTP', securityModel: 'XFP', hostBinding: {} }),
    emissary('Listener', 'bad', { port: 80, protocol: 'GOPHER', securityModel: 'XFP', hostBinding: {} }),
    { ...mapping('bad', {}), apiVersion: 'isthmus.dev/v1alpha1', kind: 'ServicePool', spec: { members: [] } },
  ]
  for (const object of bad) {
    const path = (await cluster.pathOf(object)).replace(/\/bad$/, '')
    await t.rejects(cluster.request('POST', path, object), { message: /: 422 / }, `${object.kind} ${JSON.stringify(object['spec'])}`)
  }
})

await t.test('an object that is wrong in meaning says why in its status, and its last good version serves', async t => {
  const good = mapping('api', { prefix: '/api/', service: 'api' })
  await cluster.apply(good)
  const accepted = await until('accepted', async () => {
    const now = await get<WithStatus>(cluster, good)
    return condition(now, 'Accepted')?.status === 'True' && now
  })
  t.match(condition(accepted, 'InEffect'), { status: 'True', reason: 'Served', observedGeneration: 1 })
  t.equal(accepted.status?.state, undefined, 'Running is written only when it is asked for (emissary-resources.md 1.3)')

  await cluster.apply(mapping('api', { prefix: '/api/(', prefix_regex: true, service: 'api' }))
  const refused = await until('refused', async () => {
    const now = await get<WithStatus>(cluster, good)
    return condition(now, 'Accepted')?.status === 'False' && now
  })
  t.match(condition(refused, 'Accepted'), { reason: 'Refused', message: /^spec\.prefix: .*regular expression/i, observedGeneration: 2 })
  t.match(condition(refused, 'InEffect'), { status: 'False', reason: 'LastGoodServed' })
  t.match(refused.status, { state: 'Inactive', reason: /^spec\.prefix: / })
  t.equal(prefixOf('api'), '/api/')

  await cluster.apply(good, mapping('api', { prefix: '/api/', prefix_regex: false, service: 'api' }))
  const mended = await until('accepted again', async () => {
    const now = await get<WithStatus>(cluster, good)
    return condition(now, 'Accepted')?.status === 'True' && now
  })
  t.same([mended.status?.state, mended.status?.reason], [undefined, undefined], 'what no longer holds is taken away')
})

await t.test('a status leads to nothing: no compilation, no further write', async t => {
  const own = mapping('quiet', { prefix: '/quiet/', service: 'quiet' })
  await cluster.apply(own)
  const before = await until('written', async () => {
    const now = await get<WithStatus>(cluster, own)
    return condition(now, 'Accepted') !== undefined && now
  })
  const path = `${await cluster.pathOf(own)}/status`
  await cluster.request(
    'PATCH',
    path,
    { status: { conditions: [...(before.status?.conditions ?? []), other] } },
    'application/merge-patch+json',
  )
  const after = await get<WithStatus>(cluster, own)
  const rounds = replica.rounds()
  // What follows in the same watch shows that the change before it has been dealt with.
  await cluster.apply(mapping('barrier', { prefix: '/barrier/', service: 'web' }))
  await until(
    'the barrier is written',
    async () => condition(await get<WithStatus>(cluster, mapping('barrier', {})), 'Accepted') !== undefined,
  )
  t.equal((await get<WithStatus>(cluster, own)).metadata.resourceVersion, after.metadata.resourceVersion)
  t.equal(replica.rounds(), rounds + 1, 'only the barrier was compiled')
  await cluster.apply(mapping('quiet', { prefix: '/calm/', service: 'quiet' }))
  const last = await until('written again', async () => {
    const now = await get<WithStatus>(cluster, own)
    return condition(now, 'Accepted')?.observedGeneration === 2 && now
  })
  t.match(condition(last, 'Somebody'), other, "others' conditions stay")
})

await t.test('a Host says whether its certificate can be served; a Secret that is renewed is followed', async t => {
  const host = emissary('Host', 'tls', { hostname: 'tls.example.org', tlsSecret: { name: 'tls-cert' } })
  await cluster.apply(host)
  const missing = await until('in error', async () => {
    const now = await get<WithStatus>(cluster, host)
    return now.status?.state === 'Error' && now
  })
  t.match(missing.status?.errorReason, /there is no Secret default\/tls-cert/)
  t.ok(Number.isFinite(Date.parse(missing.status?.errorTimestamp ?? '')))

  for (const file of ['first', 'second']) {
    const files = await makeAuthority(t.testdir(), file)
    const [certificate, key] = await Promise.all([readFile(files.certFile, 'utf8'), readFile(files.keyFile, 'utf8')])
    await cluster.apply(secret('tls-cert', { 'tls.crt': certificate, 'tls.key': key }))
    await until(`the ${file} certificate is served`, () =>
      replica.compiled().table.secrets.some(one => one.kind === 'certificate' && one.certificateChain === certificate),
    )
  }
  const ready = await until('ready', async () => {
    const now = await get<WithStatus>(cluster, host)
    return now.status?.state === 'Ready' && now
  })
  t.same([ready.status?.errorReason, ready.status?.errorTimestamp], [undefined, undefined])
  await cluster.apply(secret('nobody-asks', { password: 'x' }))
  await cluster.delete(secret('tls-cert', {}))
  await until('in error again', async () => (await get<WithStatus>(cluster, host)).status?.state === 'Error')
  t.equal(replica.status('Secret', 'nobody-asks'), undefined)
  await cluster.delete(host)
})

await t.test("an Ingress of ours gets the gateway's addresses, another's gets none", async t => {
  const ingress = (name: string, ingressClassName: string) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'default' },
    spec: { ingressClassName, defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  })
  await cluster.apply(ingress('ours', 'ambassador'), ingress('theirs', 'nginx'))
  const written = await until('an address', async () => {
    const now = await get<WithStatus>(cluster, ingress('ours', 'ambassador'))
    return now.status?.loadBalancer?.ingress !== undefined && now
  })
  t.match(written.status?.loadBalancer?.ingress, [{ ip: '192.0.2.7' }, { hostname: 'edge.example.org' }])
  t.same((await get<WithStatus>(cluster, ingress('theirs', 'nginx'))).status?.loadBalancer ?? {}, {})
})

await t.test('objects in the annotation of a Service work; other Services are not kept', async t => {
  const annotated = `apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nname: from-service\nhostname: "*"\nprefix: /annotated/\nservice: web\n`
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', annotations: { 'getambassador.io/config': annotated } },
    spec: { ports: [{ port: 80 }] },
  })
  await until('the route is there', () => prefixOf('from-service') === '/annotated/')
  t.match(replica.status('Mapping', 'from-service')?.ref.at, /^cluster-a\/default\/web .*Service default\/web/)
})

await t.test("another gateway's objects are left alone, its status too; a kind that is not built says so", async t => {
  const foreign = mapping('foreign', { prefix: '/', service: 'web', ambassador_id: ['other'] })
  const later = emissary('DevPortal', 'docs', { default: true, content: { url: 'https://example.org' } })
  await cluster.apply(foreign, later)
  const told = await until('told', async () => {
    const now = await get<WithStatus>(cluster, later)
    return condition(now, 'InEffect') !== undefined && now
  })
  t.match(condition(told, 'InEffect'), { status: 'False', reason: 'NotServed', message: /has no effect/ })
  t.equal((await get<WithStatus>(cluster, foreign)).status, undefined)
})

await t.test('an object of a megabyte is served like any other', async () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`key-${index}`, 'x'.repeat(1000)]))
  await cluster.apply(mapping('large', { prefix: '/large/', service: 'web', auth_context_extensions: many }))
  await until('the route is there', () => prefixOf('large') === '/large/')
  await until('written', async () => condition(await get<WithStatus>(cluster, mapping('large', {})), 'Accepted') !== undefined)
})

function secret(name: string, stringData: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, type: 'Opaque', stringData }
}
