import { readFile } from 'node:fs/promises'
import t from 'tap'
import { type KubeManifest, startKubeCluster } from '../../../tools/kube-cluster.ts'
import { makeAuthority } from '../../../xds/certificates.ts'
import { crdFiles, deployed, emissary, get, install, startReplica, until } from './replica.ts'

/** What deploy/kubernetes installs, in a real API server, and the gateway under the rights that it gives. */

const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
const isCrd = ({ kind }: KubeManifest): boolean => kind === 'CustomResourceDefinition'
const [kustomization] = await deployed('kustomization.yaml')
const resources = kustomization?.['resources'] as readonly string[]

await t.test('everything of the kustomization is taken as it is written, strictly', async t => {
  for (const file of crdFiles) t.ok(resources.includes(file), file)
  const objects = await deployed(...resources)
  await install(cluster, objects.filter(isCrd))
  for (const object of [...objects, ...(await deployed('quickstart.yaml'))].filter(one => !isCrd(one))) {
    const path = await cluster.pathOf(object)
    const query = 'fieldManager=test&force=true&fieldValidation=Strict'
    const apply = (more: string) => cluster.request('PATCH', `${path}?${query}${more}`, object, 'application/apply-patch+yaml')
    // The namespace must be there before what stands in it.
    await t.resolves(apply(object.kind === 'Deployment' ? '&dryRun=All' : ''), `${object.kind} ${object.metadata.name}`)
  }
})

await t.test('with the rights of its service account the gateway reads, writes statuses, leads, and sees no other Secret', async t => {
  const token = await cluster.serviceAccountToken('isthmus', 'isthmus')
  const kubeconfig = await cluster.kubeconfigFile({ token })
  const replica = startReplica(t, {
    kubeconfig,
    environment: { POD_NAMESPACE: 'isthmus', POD_NAME: 'isthmus-0' },
    publish: { status: true, service: 'isthmus/isthmus' },
  })
  await until('in sync', () => replica.isSynced())
  // The API server answers 429 for a CRD that it learned of a moment ago.
  await until('nothing that it wants to read is refused', () => replica.store.problems().length === 0)
  t.equal(replica.status('Mapping', 'quote-backend')?.state, 'accepted')

  const files = await makeAuthority(t.testdir(), 'quickstart')
  const data = { 'tls.crt': await readFile(files.certFile, 'utf8'), 'tls.key': await readFile(files.keyFile, 'utf8') }
  const host = emissary('Host', 'tls', { hostname: 'tls.example.org', tlsSecret: { name: 'quickstart-tls' } })
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'quickstart-tls', namespace: 'default' }, stringData: data },
    host,
  )
  type Stated = {
    readonly status?: { readonly state?: string; readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } }
  }
  await until('the certificate is served, and said to be', async () => (await get<Stated>(cluster, host)).status?.state === 'Ready')
  const lease = await get<KubeManifest & { spec: { holderIdentity: string } }>(cluster, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'isthmus-status-default', namespace: 'isthmus' },
  })
  t.equal(lease.spec.holderIdentity, 'isthmus-0')

  const ingress: KubeManifest = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'quote', namespace: 'default' },
    spec: { ingressClassName: 'isthmus', defaultBackend: { service: { name: 'quote', port: { number: 80 } } } },
  }
  await cluster.apply(ingress)
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } }
  await cluster.request('PATCH', '/api/v1/namespaces/isthmus/services/isthmus/status', { status }, 'application/merge-patch+json')
  await until("the Ingress has the Service's address", async () => {
    const [point] = (await get<Stated>(cluster, ingress)).status?.loadBalancer?.ingress ?? []
    return point?.ip === '192.0.2.10'
  })

  await cluster.apply(emissary('Host', 'other', { hostname: 'other.example.org', tlsSecret: { name: 'not-listed' } }))
  await until('a Secret that is not listed is named as forbidden', () =>
    replica.store.problems().some(({ text }) => /^Secret default\/not-listed cannot be read: .*forbidden/.test(text)),
  )
  t.equal(replica.status('Mapping', 'quote-backend')?.state, 'accepted', 'and costs only itself')
  for (const [resourceAttributes, allowed] of [
    [{ verb: 'list', resource: 'secrets' }, false],
    [{ verb: 'get', resource: 'secrets', namespace: 'default', name: 'not-listed' }, false],
    [{ verb: 'get', resource: 'secrets', namespace: 'default', name: 'quickstart-tls' }, true],
    [{ verb: 'update', group: 'getambassador.io', resource: 'mappings', namespace: 'default' }, false],
    [{ verb: 'create', resource: 'pods', namespace: 'default' }, false],
  ] as const) {
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: 'system:serviceaccount:isthmus:isthmus', resourceAttributes },
    }
    const review = await cluster.request<{ status: { allowed: boolean } }>(
      'POST',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body,
    )
    t.equal(review.status.allowed, allowed, JSON.stringify(resourceAttributes))
  }
})
