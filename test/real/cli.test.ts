import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Backend, startBackends } from '../tools/http-backend.ts'
import { freePort } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** The real command, in a process of its own. */
async function isthmus(...args: readonly string[]): Promise<Ran> {
  const ran = await runToEnd(process.execPath, [join(repository, 'src/main.ts'), ...args])
  return { code: ran.code, out: ran.stdout, err: ran.stderr }
}

async function running(t: Test): Promise<{ stage: Stage; backend: Backend; ask: (...args: readonly string[]) => Promise<Ran> }> {
  const [backend] = await startBackends(t, 1)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', backend.port), vmService('idle', backend.port, { health: 'unhealthy' })])
  await stage.manifests('web', [
    mappingObject('web', { prefix: '/web/', service: 'web', timeout_ms: 1234 }),
    mappingObject('wrong', { prefix: '/wrong/', service: 'web', timeout: 5 }),
    mappingObject('idle', { prefix: '/idle/', service: 'idle' }),
  ])
  await stage.answers('/web/', answer => answer.status === 200)
  await stage.synced()
  return { stage, backend, ask: (...args) => isthmus(...args, '--admin', stage.adminUrl) }
}

t.test('each command shows a running gateway, as a table and as JSON (interface.md, Commands)', async t => {
  const { ask, backend } = await running(t)
  const web = `127.0.0.1:${String(backend.port)}`
  const commands: readonly [args: readonly string[], table: readonly RegExp[], json: object][] = [
    [
      ['status'],
      [/^test {2}version /, /ready\n/, /vms +vm +live/, /edge-1 +synced/],
      { id: 'test', ready: true, counts: { endpoints: 2 } },
    ],
    [['sources'], [/NAME +TYPE +STATE/, /vms +vm +live/], { items: [{ name: 'vms', type: 'vm', state: 'live', endpoints: 2 }] }],
    [
      ['services'],
      [/default\/web/, /default\/idle/],
      {
        items: [
          { key: 'default/idle', served: 0 },
          { key: 'default/web', served: 1 },
        ],
      },
    ],
    [['endpoints', 'web'], [new RegExp(`${web} +http +healthy +yes +vms`)], { items: [{ port: backend.port, served: true }] }],
    [['endpoints', 'idle'], [new RegExp(`${web} +http +unhealthy +no +vms`)], { items: [{ health: 'unhealthy', served: false }] }],
    [
      ['why', 'web', web],
      [/^served: /, /edge-1 +default\/web +synced/],
      { verdict: 'served', delivery: [{ nodeId: 'edge-1', state: 'synced' }] },
    ],
    [['why', 'idle', web], [/^withheld: /], { verdict: 'withheld' }],
    [['proxies'], [/NODE +VERSION +STATE/, /edge-1 .*synced/], { items: [{ nodeId: 'edge-1', state: 'synced' }] }],
    [['objects', '--state', 'refused'], [/Mapping +default +wrong +refused .*timeout/], { items: [{ name: 'wrong', state: 'refused' }] }],
    [
      ['routes', '/web/'],
      [/\/web\/\* +default\/web as \/ +Mapping default\/web/],
      { items: [{ action: { kind: 'forward', timeoutMs: 1234 } }] },
    ],
    [['agents'], [/vm-1 +up .*default\/web/], { items: [{ agentId: 'vm-1', state: 'up' }] }],
  ]
  for (const [args, table, json] of commands) {
    const title = args.join(' ')
    const [asTable, asJson] = await Promise.all([ask(...args), ask(...args, '-o', 'json')])
    t.equal(asTable.code, 0, `${title}: exit code`)
    for (const pattern of table) t.match(asTable.out, pattern, `${title}: table`)
    t.match(JSON.parse(asJson.out), json, `${title}: JSON`)
    t.notMatch(asTable.out, /\u001b\[/, `${title}: no colour off a terminal`)
  }
  t.match((await ask('routes', '-o', 'wide')).out, /1234ms/)
  t.equal((await ask('services', '-o', 'name')).out, 'default/idle\ndefault/web\n')
  t.match((await ask('sources', '-o', 'yaml')).out, /name: vms/)
})

t.test('exit codes: 1 for a finding, 2 for usage, 3 for a gateway that does not answer', async t => {
  const { ask } = await running(t)
  const nobody = `http://127.0.0.1:${String(await freePort())}`
  const cases: readonly [run: Promise<Ran>, code: number, err: RegExp][] = [
    [ask('endpoints', 'wbe'), 1, /default\/wbe; near names: default\/web/],
    [ask('endpoints', 'nothing'), 1, /no source has ever named the service default\/nothing/],
    [ask('why', 'web', 'here'), 2, /address|IP:PORT/i],
    [ask('endpoints', '--colour'), 2, /--colour/],
    [ask('services', '-o', 'xml'), 2, /xml/],
    [isthmus('stauts'), 2, /did you mean "status"/],
    [isthmus('status', '--admin', nobody), 3, /isthmus serve.*--admin/],
    [isthmus('status', '--admin', 'http://[bad'), 2, /--admin/],
  ]
  for (const [run, code, err] of cases) {
    const ran = await run
    t.equal(ran.code, code, ran.err)
    t.match(ran.err, err)
    t.notMatch(ran.err, /^\s+at .*\.ts:/m, 'no stack')
  }
  const absent = await ask('why', 'web', '127.0.0.1:1')
  t.equal(absent.code, 1)
  t.match(absent.out, /^absent: /)
})

t.test('validate and translate read the files that the gateway reads, and find the same', async t => {
  const { stage, backend } = await running(t)
  const folder = join(stage.folder, 'manifests')
  const checked = await isthmus('validate', '-f', folder)
  t.equal(checked.code, 1)
  t.match(checked.out, /web\.yaml:1: Mapping default\/web: accepted/)
  t.match(checked.out, /web\.yaml:\d+: .*wrong.*spec\.timeout.*timeout_ms/)
  t.match(checked.out, /5 objects: 1 refused/)
  const translated = await isthmus('translate', '-f', folder)
  t.equal(translated.code, 1)
  t.match(translated.err, /wrong/)
  for (const expected of ['/web/', 'default/web', '1.234s', String(stage.port)]) t.ok(translated.out.includes(expected), expected)
  t.doesNotThrow(() => JSON.parse(translated.out) as unknown)

  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  const sound = await isthmus('validate', '-f', folder, '-o', 'json')
  t.equal(sound.code, 0)
  t.match(JSON.parse(sound.out), { items: [{ state: 'accepted' }, { state: 'accepted' }, { state: 'accepted' }], problems: [] })
  t.match(await isthmus('validate', '-f', join(stage.folder, 'none')), { code: 2, err: /none/ })
  t.match(await isthmus('validate'), { code: 2, err: /-f/ })
  await backend.stop()
})
