import t from 'tap'
import { isthmus } from '../cli/cli.ts'
import { startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

t.test('an operator excludes an endpoint: no request reaches it, over a restart too, until it is unset or its time is over', async t => {
  const backends = await startBackends(t, 2)
  const [first, second] = backends
  const stage = await startStage(t, { settings: { state: { path: './state' } } })
  const env = { ISTHMUS_ADMIN: stage.adminUrl }
  for (const { instance, port } of backends) await stage.registerVm(instance, [vmService('web', port)])
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.answers('/web/', answer => answer.status === 200)
  const address = `127.0.0.1:${String(first.port)}`
  /** Who answers so many requests. */
  const answering = async (count = 20): Promise<readonly string[]> => {
    const seen = new Set<string>()
    for (let index = 0; index < count; index++) {
      const { body } = await get(`${stage.url}/web/`)
      seen.add((JSON.parse(body) as { instance: string }).instance)
    }
    return [...seen].sort()
  }
  const both = [first.instance, second.instance]
  await eventually('both answer', async () => (await answering()).length === 2)

  const excluded = await isthmus(['exclude', 'web', address, '--reason', 'disk is full', '-o', 'name'], { env })
  t.equal(excluded.code, 0, excluded.err)
  const id = excluded.out.trim()
  await eventually('only the other answers', async () => (await answering()).join() === second.instance)
  const before = first.requests
  t.strictSame(await answering(50), [second.instance])
  t.equal(first.requests, before, 'no request reaches the excluded one')
  t.match((await isthmus(['why', 'web', address], { env })).out, /disk is full/)
  t.match((await isthmus(['overrides'], { env })).out, /exclude +default\/web .* active .*disk is full/)
  const clash = await isthmus(['drain', 'web', address, '--reason', 'r'], { env })
  t.match(clash, { code: 1, err: new RegExp(`has the override ${id.replaceAll('.', '\\.')}`) })

  await stage.stopGateway()
  await stage.startGateway()
  await stage.synced()
  t.strictSame(await answering(50), [second.instance], 'it outlives a restart')
  t.equal(first.requests, before)

  t.equal((await isthmus(['unset', id], { env })).code, 0)
  await eventually('both answer again', async () => (await answering()).join() === both.join())
  t.match(await isthmus(['unset', id], { env }), { code: 1, err: /no override/ })

  const drained = await isthmus(['drain', 'web', address, '--reason', 'update', '--ttl', '3s'], { env })
  t.match(drained, { code: 0, out: /until 2/ })
  await eventually('it drains', async () => (await answering()).join() === second.instance)
  await eventually('it comes back by itself', async () => (await answering()).join() === both.join())

  const soon = await isthmus(['pin', 'web', '127.0.0.1:1', '--reason', 'r'], { env })
  t.match(soon, { code: 0, out: /waited for/ })
  t.match((await isthmus(['overrides'], { env })).out, /waiting/)
})
