import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { startBackends, stopBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { listenerObject, mappingObject, startStage, vmService } from './stage.ts'

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
    const backends = await startBackends(2)
    t.teardown(() => stopBackends(backends))
    const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }], protocol })
    await stage.registerVm('vm-1', [vmService('web', backends[0]?.port ?? 0)])
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
    await stage.answers('/web/', answer => answer.body.includes('backend-1'))

    const bad = { ...listenerObject(taken), metadata: { name: 'taken' } }
    await stage.manifests('bad', [bad])
    const listeners = async () => (await stage.api<Proxies>('/api/v1/proxies')).items[0]
    await eventually('the refusal shows', async () => (await listeners())?.state === 'rejected')
    const text = (await listeners())?.types.find(type => type.type === 'listener')?.lastNack?.text ?? ''
    t.match(text, new RegExp(`listener-${String(taken)}`), 'with the name of the listener')

    await stage.registerVm('vm-1', [vmService('web', backends[1]?.port ?? 0)])
    await stage.answers('/web/', answer => answer.body.includes('backend-2'))
    await stage.manifests('more', [mappingObject('more', { prefix: '/more/', service: 'web' })])
    await stage.answers('/more/', answer => answer.status === 200)

    await stage.manifests('bad', [])
    await eventually('all is well again', async () => (await listeners())?.state === 'synced')
    t.equal((await fetch(`${stage.url}/web/`)).status, 200)
  })
}
