import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { bootstrap } from '../../src/envoy/bootstrap.ts'
import { isthmus } from '../cli/cli.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePort, freePorts } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { hostObject, listenerObject, mappingObject, startStage } from './stage.ts'

t.test('L9 locality.prefer: zone: an Envoy uses its own zone, the rest when that is ill, and goes back', async t => {
  // Backends 1 and 2 are in zone a, 3 in zone b, 4 nobody knows where.
  const backends = await startBackends(t, 4)
  const places = [{ zone: 'a' }, { zone: 'a' }, { zone: 'b' }, {}]
  const instances = (...ill: readonly number[]): string => {
    const endpoints = backends.map(({ port }, index) => {
      return { ...places[index], address: '127.0.0.1', port, health: ill.includes(index + 1) ? 'unhealthy' : 'healthy' }
    })
    return JSON.stringify({ services: [{ name: 'web', namespace: 'default', endpoints }] })
  }
  const zones = ['a', 'b'] as const
  const [portA = 0, portB = 0] = await freePorts(2)
  const ports = { a: portA, b: portB }
  // A gateway per zone, for two Envoys on one machine cannot have one port.
  const stage = await startStage(t, {
    sources: [{ name: 'files', type: 'file', path: './endpoints.yaml' }],
    settings: { ambassadorId: ['default', ...zones] },
    prepare: folder => writeFile(join(folder, 'endpoints.yaml'), instances()),
  })
  await stage.envoy.stop()
  const of = (id: string, object: object): object => {
    const { spec, ...rest } = object as { spec: object; metadata: { name: string } }
    return { ...rest, metadata: { name: `${id}-${rest.metadata.name}` }, spec: { ...spec, ambassador_id: [id] } }
  }
  for (const zone of zones) {
    const mapping = mappingObject('web', { prefix: '/', service: 'web' })
    await stage.manifests(
      zone,
      [listenerObject(ports[zone]), hostObject(), mapping].map(object => of(zone, object)),
    )
  }
  const pool = (spec: object) =>
    stage.manifests('pool', [
      { apiVersion: 'isthmus.dev/v1alpha1', kind: 'ServicePool', metadata: { name: 'web', namespace: 'default' }, spec },
    ])
  const prefer = (mode: string) => pool({ mode, locality: { prefer: 'zone' }, members: [{ file: { service: 'web' } }] })
  await prefer('union')

  const settings = parse(await readFile(join(stage.folder, 'isthmus.yaml'), 'utf8')) as { xds: { listen: string } }
  const xds = { host: '127.0.0.1', port: Number(settings.xds.listen.split(':')[1]) }
  for (const zone of zones) {
    const adminPort = await freePort()
    // One of them as state of the world.
    const protocol = zone === 'a' ? 'delta' : 'sotw'
    const text = bootstrap({ nodeId: `in-${zone}`, cluster: zone, zone, region: 'r1', xds, protocol, adminPort })
    const envoy = await startEnvoy({ bootstrap: JSON.stringify(text), adminPort })
    t.teardown(() => envoy.stop())
    await envoy.untilReady()
  }

  /** Who answers requests through the Envoy of a zone: numbers of backends, `503` for failures. */
  const who = async (zone: 'a' | 'b'): Promise<string> => {
    const found = new Set<string>()
    for (let done = 0; done < 40; done += 10) {
      const all = Array.from({ length: 10 }, () => get(`http://127.0.0.1:${String(ports[zone])}/`).catch(() => ({ status: 0, body: '' })))
      for (const { status, body } of await Promise.all(all))
        found.add(status === 200 ? (JSON.parse(body) as { instance: string }).instance.replace('backend-', '') : String(status))
    }
    return [...found].sort().join(' ')
  }
  const expect = async (what: string, a: string, b: string) => {
    await eventually(`${what}: zone a asks ${a}`, async () => (await who('a')) === a)
    await eventually(`${what}: zone b asks ${b}`, async () => (await who('b')) === b)
    t.same([await who('a'), await who('b')], [a, b], what)
  }
  const ill = (...numbers: readonly number[]) => stage.file('endpoints.yaml', instances(...numbers))

  await expect('all are well', '1 2', '3')
  const asked = await isthmus([
    'what-if',
    '-o',
    'json',
    '--zone',
    'a',
    '--region',
    'r1',
    '--without',
    'ServicePool/default/web',
    '--admin',
    stage.adminUrl,
  ])
  const { stages } = JSON.parse(asked.out) as { stages: readonly { traffic: readonly { shares: readonly object[] }[] }[] }
  t.match(
    stages[0]?.traffic[0]?.shares.filter(share => 'by' in share && share.by === 'zone'),
    [
      { name: '-', before: 0, after: 25 },
      { name: 'a', before: 100, after: 50 },
      { name: 'b', before: 0, after: 25 },
    ],
    'what is asked about zone a is what Envoys there do',
  )
  await ill(3)
  await expect('zone b is ill', '1 2', '1 2 4')
  await ill(1, 2)
  await expect('zone a is ill', '3 4', '3')
  await ill(1)
  await expect('one of two is too few for all', '2 3 4', '3')
  await prefer('failover')
  await expect('in failover one of two is enough', '2', '3')
  await ill()
  await expect('all are well again', '1 2', '3')

  const { items } = await stage.api<{ items: readonly { nodeId: string; locality: object }[] }>('/api/v1/proxies')
  t.match(
    items.filter(one => one.nodeId.startsWith('in-')),
    zones.map(zone => ({ nodeId: `in-${zone}`, locality: { region: 'r1', zone } })),
  )
  type Explanation = { readonly steps: readonly { readonly text: string }[] }
  const { steps } = await stage.api<Explanation>(`/api/v1/services/default/web/explain?address=127.0.0.1:${String(backends[2].port)}`)
  t.match(steps.map(step => step.text).join('\n'), /Envoys of zone b use it first; the others use what is nearer to them first/)

  await pool({ members: [{ file: { service: 'web' } }] })
  await expect('no preference any more', '1 2 3 4', '1 2 3 4')
  await prefer('union')
  await expect('and again', '1 2', '3')
})
