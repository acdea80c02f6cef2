import { join } from 'node:path'
import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { runToEnd } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

const of = (namespace: string, name: string, spec: Readonly<Record<string, unknown>>) => ({
  ...mappingObject(name, spec),
  metadata: { name, namespace },
})

t.test('objects and routes name collisions between teams, unreachable routes and fields without effect (API and commands)', async t => {
  const [web] = await startBackends(t, 1)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', web.port)])
  await stage.manifests('routes', [
    of('red', 'shop', { prefix: '/shop/', service: 'web.default' }),
    of('blue', 'shop', { prefix: '/shop/', service: 'web.default' }),
    of('red', 'greedy', { prefix: '/all/', service: 'web.default', precedence: 9 }),
    of('blue', 'hidden', { prefix: '/all/below/', service: 'web.default' }),
    of('blue', 'inert', { prefix: '/inert/', service: 'web.default', docs: { path: '/d' }, redirect_response_code: 302 }),
  ])
  await stage.answers('/inert/', answer => answer.status === 200)
  interface Status {
    readonly state: string
    readonly notices: readonly string[]
  }
  const status = (path: string) => stage.api<Status>(`/api/v1/objects/Mapping/${path}`)
  t.match(await status('red/shop'), {
    state: 'accepted',
    notices: [/split with Mappings of other namespaces: Mapping blue\/shop, Mapping red\/shop/],
  })
  t.match((await status('blue/shop')).notices, [/other namespaces/])
  t.match(await status('blue/hidden'), { notices: [/^no request for \* reaches it: Mapping red\/greedy takes them all before/] })
  t.match(await status('blue/inert'), {
    notices: [/^spec\.docs has no effect: there is no developer portal/, /redirect_response_code has no effect/],
  })
  const { items } = await stage.api<{ items: readonly object[] }>('/api/v1/routes?q=/all/')
  t.match(items, [
    { origins: [{ namespace: 'red', name: 'greedy' }], coveredBy: undefined },
    { origins: [{ namespace: 'blue', name: 'hidden' }], coveredBy: [{ kind: 'Mapping', namespace: 'red', name: 'greedy' }] },
  ])

  const run = async (...args: readonly string[]) =>
    (await runToEnd(process.execPath, [join(repository, 'src/main.ts'), ...args, '--admin', stage.adminUrl])).stdout
  t.match(await run('routes'), /\/all\/below\/\*.*\(never reached\).*Mapping blue\/hidden/)
  const objects = await run('objects')
  t.match(objects, /other namespaces/)
  t.match(objects, /no request for \* reaches it/)
  t.match(objects, /spec\.docs/)
})
