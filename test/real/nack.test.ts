import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { eventually, runToEnd } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { listenerObject, mappingObject, startStage, vmService } from './stage.ts'

interface ObjectBody {
  readonly rejections: readonly { readonly proxy: string; readonly resource: string; readonly text: string }[]
}

interface Proxies {
  readonly items: readonly {
    readonly state: string
    readonly types: readonly { readonly type: string; readonly lastNack: { readonly text: string } | null }[]
  }[]
}

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`a listener that Envoy refuses is shown, and stops nothing else (${protocol}; xds.md C10, C13)`, async t => {
    // Somebody else has the port that a Listener asks for: only Envoy can find that out.
    const squatter = createServer().listen({ port: 0, host: '0.0.0.0', exclusive: true })
    await once(squatter, 'listening')
    t.teardown(() => squatter.close())
    const taken = (squatter.address() as AddressInfo).port
    const backends = await startBackends(t, 2)
    const stage = await startStage(t, { protocol })
    await stage.registerVm('vm-1', [vmService('web', backends[0].port)])
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
    await stage.answers('/web/', answer => answer.body.includes('backend-1'))

    const bad = { ...listenerObject(taken), metadata: { name: 'taken' } }
    await stage.manifests('bad', [bad])
    const listeners = async () => (await stage.api<Proxies>('/api/v1/proxies')).items[0]
    await eventually('the refusal shows', async () => (await listeners())?.state === 'rejected')
    const text = (await listeners())?.types.find(type => type.type === 'listener')?.lastNack?.text ?? ''
    t.match(text, new RegExp(`listener-${String(taken)}`), 'with the name of the listener')

    const { rejections } = await stage.api<ObjectBody>('/api/v1/objects/Listener/default/taken')
    t.match(rejections, [{ proxy: 'edge-1', resource: `listener listener-${String(taken)}`, text: /./ }], 'at the object that asked for it')
    t.same((await stage.api<ObjectBody>('/api/v1/objects/Listener/default/http')).rejections, [], 'and at no other')

    await stage.registerVm('vm-1', [vmService('web', backends[1].port)])
    await stage.answers('/web/', answer => answer.body.includes('backend-2'))
    await stage.manifests('more', [mappingObject('more', { prefix: '/more/', service: 'web' })])
    await stage.answers('/more/', answer => answer.status === 200)

    await stage.manifests('bad', [])
    await eventually('all is well again', async () => (await listeners())?.state === 'synced')
    t.equal((await fetch(`${stage.url}/web/`)).status, 200)
  })
}

t.test('a route configuration that Envoy refuses: the command names it, endpoints still move, and a mended Mapping ends it', async t => {
  const backends = await startBackends(t, 2)
  const stage = await startStage(t, { regexLimit: 100 })
  await stage.registerVm('vm-1', [vmService('web', backends[0].port)])
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.answers('/web/', answer => answer.body.includes('backend-1'))
  // An Envoy with a bound of its own: right by our rules, but a larger program than it takes.
  await stage.manifests('big', [mappingObject('big', { prefix: '/[a-z]{1,70}', prefix_regex: true, service: 'web' })])
  await eventually('the refusal shows', async () => (await stage.api<Proxies>('/api/v1/proxies')).items[0]?.state === 'rejected')
  const shown = await runToEnd(process.execPath, [join(repository, 'src/main.ts'), 'proxies', '--admin', stage.adminUrl])
  t.equal(shown.code, 0)
  t.match(shown.stdout, /edge-1 .*rejected/)
  t.match(shown.stdout, /edge-1 rejects route .*regex/)
  const objects = await runToEnd(process.execPath, [join(repository, 'src/main.ts'), 'objects', '--admin', stage.adminUrl])
  t.match(objects.stdout, /Mapping +default +big +accepted +edge-1 rejects its route/)
  t.notMatch(objects.stdout, /Mapping +default +web +accepted +edge-1/, 'only the Mapping that differs from what Envoy has is named')

  await stage.registerVm('vm-1', [vmService('web', backends[1].port)])
  await stage.answers('/web/', answer => answer.body.includes('backend-2'))
  await stage.manifests('big', [mappingObject('big', { prefix: '/[a-z]+', prefix_regex: true, service: 'web' })])
  await stage.answers('/abc', answer => answer.status === 200)
  await stage.synced()
  t.same((await stage.api<ObjectBody>('/api/v1/objects/Mapping/default/big')).rejections, [])
})
