import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { builtinPlugins } from '../../src/builtin-plugins.ts'
import { compose } from '../../src/compose.ts'
import { loadSettings } from '../../src/settings/load.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { envoyPath } from '../tools/envoy.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePorts, temporaryFolder } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { get } from './get.ts'
import { hostObject, listenerObject, mappingObject, vmService } from './stage.ts'

t.test('a gateway that demands client certificates on xds.listen runs an Envoy of its own all the same', async t => {
  const folder = await temporaryFolder(t)
  const [backend] = await startBackends(t, 1)
  const [port = 0, xds = 0, admin = 0, agents = 0, adminPort = 0] = await freePorts(5)
  const authority = await makeAuthority(folder, 'ca')
  const files = await makeCertificate(folder, 'server', authority)
  const local = (number: number): string => `127.0.0.1:${String(number)}`
  await writeFile(
    join(folder, 'isthmus.yaml'),
    stringify({
      id: 'edge',
      state: { path: ':memory:' },
      xds: { listen: local(xds), tls: { ...files, clientCaFile: authority.certFile } },
      admin: { listen: local(admin) },
      agents: { listen: local(agents) },
      envoy: { mode: 'supervise', path: await envoyPath(), adminPort, drainSeconds: 5, zone: 'a', region: 'north' },
      defaults: { addresses: { allow: ['127.0.0.0/8'] } },
      manifests: [{ type: 'directory', path: './manifests' }],
      sources: [{ name: 'vms', type: 'vm' }],
    }),
  )
  await mkdir(join(folder, 'manifests'))
  const objects = [listenerObject(port), hostObject(), mappingObject('web', { prefix: '/web/', service: 'web' })]
  await writeFile(join(folder, 'manifests', 'all.yaml'), objects.map(object => stringify(object)).join('---\n'))

  process.env['TMPDIR'] = join(folder, 'temporary')
  await mkdir(join(folder, 'temporary'))
  const settings = loadSettings({ file: join(folder, 'isthmus.yaml'), env: {}, flags: {}, plugins: builtinPlugins })
  const gateway = compose(settings, builtinPlugins, { log: createLog({ level: 'silent', id: 'edge' }), environment: {} })
  t.teardown(() => gateway.stop())
  await gateway.start()
  const registered = await fetch(`http://${local(agents)}/v1/registrations/vm-1`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ services: [vmService('web', backend.port)], ttlSeconds: 3600 }),
  })
  t.equal(registered.status, 200)
  await eventually('Envoy serves', async () => (await get(`http://${local(port)}/web/`)).status === 200)
  t.match(await (await fetch(`http://${local(admin)}/api/v1/proxies`)).json(), {
    items: [{ nodeId: 'edge', locality: { region: 'north', zone: 'a' } }],
  })
  await gateway.stop()
  t.strictSame(await readdir(join(folder, 'temporary')), [], 'it leaves nothing behind')
})
