import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { get } from './get.ts'
import { startStage, vmService } from './stage.ts'

const path = (pathType: string, value: string, name: string): object => ({
  path: value,
  pathType,
  backend: { service: { name, port: { number: 80 } } },
})

t.test('an Ingress from a file is served as its specification says', async t => {
  const backends = await startBackends(t, 3)
  const stage = await startStage(t)
  for (const [index, name] of ['a', 'b', 'c'].entries())
    await stage.registerVm(`vm-${name}`, [vmService(name, backends[index]?.port ?? 0, { namespace: 'shop' })])
  await stage.manifests('ingress', [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        ingressClassName: 'ambassador',
        defaultBackend: { service: { name: 'c', port: { name: 'http' } } },
        rules: [
          { host: 'web.example', http: { paths: [path('Prefix', '/a/', 'a'), path('Exact', '/a/x', 'b')] } },
          { host: '*.wild.example', http: { paths: [path('Prefix', '/', 'b')] } },
        ],
      },
    },
  ])
  await stage.answers('/a', answer => answer.body.includes('backend-1'), { host: 'web.example' })
  const cases: readonly (readonly [host: string, path: string, backend: number])[] = [
    ['web.example', '/a', 1],
    ['web.example', '/a/', 1],
    ['web.example', '/a/b', 1],
    ['web.example', '/a/x', 2],
    ['web.example', '/ab', 3],
    ['one.wild.example', '/', 2],
    ['one.wild.example:8080', '/', 2],
    ['two.one.wild.example', '/', 3],
    ['elsewhere.example', '/a', 3],
  ]
  for (const [host, where, backend] of cases) {
    const { status, body } = await get(stage.url + where, { host })
    t.equal(status, 200, `${host}${where}`)
    const { instance, path: seen } = JSON.parse(body) as { instance: string; path: string }
    t.strictSame([instance, seen], [`backend-${String(backend)}`, where], `${host}${where}: who answers, and the path is the one asked for`)
  }
  t.match(await stage.api('/api/v1/objects/Ingress/shop/web'), { state: 'accepted' })
})
