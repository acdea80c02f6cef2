import t from 'tap'
import { kubernetesModule } from './kube-apiserver.ts'
import { type KubeManifest, startKubeCluster } from './kube-cluster.ts'

t.test('a program of Kubernetes builds from the published releases of its staged modules', t => {
  const original = [
    'module k8s.io/kubernetes',
    'go 1.24.0',
    'require (',
    '\tk8s.io/api v0.0.0',
    '\tk8s.io/utils v0.0.0-20250604170112-4c0f3b243397',
    '\tk8s.io/client-go v0.0.0 // indirect',
    ')',
    'replace k8s.io/api => ./staging/src/k8s.io/api',
  ].join('\n')
  t.equal(
    kubernetesModule(original, '1.34.4'),
    [
      'module isthmus.test/kube-apiserver',
      '',
      'go 1.24.0',
      '',
      'require k8s.io/kubernetes v1.34.4',
      '',
      'replace k8s.io/api => k8s.io/api v0.34.4',
      'replace k8s.io/client-go => k8s.io/client-go v0.34.4',
      '',
    ].join('\n'),
  )
  t.end()
})

t.test('an API server keeps its objects over a kill and forgets old revisions when told', async t => {
  const cluster = await startKubeCluster()
  t.teardown(() => cluster.stop())
  const slice: KubeManifest = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1' },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.0.1'] }],
    ports: [],
  }
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  const { metadata } = await cluster.request<{ metadata: { resourceVersion: string } }>('GET', path)
  await cluster.apply(slice)
  await cluster.compact()
  await cluster.restart()
  t.equal((await cluster.request<{ items: unknown[] }>('GET', path)).items.length, 1)
  t.match(await cluster.request('GET', `${path}?watch=1&resourceVersion=${metadata.resourceVersion}`), {
    type: 'ERROR',
    object: { code: 410 },
  })
  await cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'gateway' } })
  t.equal((await cluster.serviceAccountToken('default', 'gateway')).split('.').length, 3, 'a signed token')
  await cluster.delete(slice)
  await cluster.delete(slice)
  await t.rejects(cluster.request('GET', `${path}/web-1`), /not found/)
})
