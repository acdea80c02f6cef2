import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { EndpointBody, ServiceBody } from '../../src/admin/schemas.ts'
import type { WhatIfBody } from '../../src/admin/what-if-schemas.ts'
import { isthmus } from '../cli/cli.ts'
import { type ConsulAgent, startConsul } from '../tools/consul-agent.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

/** What-if against what really happens: real Consul, agents' leases and an endpoints file behind one gateway. */

interface Running {
  readonly stage: Stage
  readonly consul: ConsulAgent
  /** `isthmus what-if …`. */
  ask(...args: readonly string[]): Promise<{ readonly code: number; readonly body: WhatIfBody; readonly table: string }>
}

const endpointsFile = (ports: readonly number[]) =>
  `services:\n  - { name: web, endpoints: [${ports.map(port => `{ address: 127.0.0.3, port: ${String(port)} }`).join(', ')}] }\n  - { name: files, endpoints: [{ address: 127.0.0.3, port: 1 }] }\n`

async function running(t: Test): Promise<Running> {
  const consul = await startConsul()
  t.teardown(() => consul.stop())
  for (const index of [1, 2, 3])
    await consul.register({ name: 'web', id: `web-${String(index)}`, address: '127.0.0.1', port: 9000 + index })
  const stage = await startStage(t, {
    sources: [
      { name: 'dc1', type: 'consul', address: consul.url },
      { name: 'vms', type: 'vm' },
      { name: 'legacy', type: 'file', path: './endpoints.yaml' },
    ],
    prepare: folder => writeFile(join(folder, 'endpoints.yaml'), endpointsFile([9301])),
  })
  await stage.registerVm('vm-1', [vmService('web', 9201, { address: '127.0.0.2' })])
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await eventually('it has a route', async () => (await stage.api<{ total: number }>('/api/v1/routes')).total === 1)
  await eventually('all know web', async () => (await seen(stage)).filter(one => one.startsWith('default/web ')).length === 5)
  return {
    stage,
    consul,
    async ask(...args) {
      const run = async (...more: readonly string[]) => isthmus(['what-if', ...args, '--admin', stage.adminUrl, ...more])
      const [json, table] = [await run('--json'), await run()]
      if (json.err !== '' || table.err !== '') throw new Error(json.err + table.err)
      return { code: json.code, body: JSON.parse(json.out) as WhatIfBody, table: table.out }
    },
  }
}

type Seen = NonNullable<WhatIfBody['stages'][number]['endpoints'][number]['after']>

function line(service: string, one: Omit<Seen, 'sources' | 'reasons' | 'protocol'>): string {
  const { address, port, health, presence, weight, served, priority, member = '' } = one
  return [service, address, port, health, presence, weight, served, priority, member].join(' ')
}

/** Every endpoint of the gateway in a line. */
async function seen(stage: Stage): Promise<readonly string[]> {
  const { items } = await stage.api<{ items: readonly EndpointBody[] }>('/api/v1/endpoints?limit=1000')
  return items.map(one => line(one.service, one)).sort()
}

/** What there would be, by a stage. */
function after(before: readonly string[], stage: WhatIfBody['stages'][number] | undefined): readonly string[] {
  const lines = new Set(before)
  for (const change of stage?.endpoints ?? []) if (change.before !== null) lines.delete(line(change.service, change.before))
  for (const change of stage?.endpoints ?? []) if (change.after !== null) lines.add(line(change.service, change.after))
  return [...lines].sort()
}

/** Waits until the gateway has what a stage said, and nothing else. */
async function becomes(t: Test, { stage }: Running, wanted: readonly string[], what: string): Promise<void> {
  let now: readonly string[] = []
  await eventually(what, async () => {
    now = await seen(stage)
    return now.join('\n') === wanted.join('\n')
  }).catch(() => undefined)
  t.same(now, wanted, what)
}

t.test('what is asked first is what happens then: overrides, an edited pool, a registry that goes, leases that run out', async t => {
  const all = await running(t)
  const { stage, consul, ask } = all
  const web = '127.0.0.1:9001'

  const start = await seen(stage)
  const drained = await ask('drain', 'web', web)
  t.match(drained, { code: 0, table: /default\/web +127\.0\.0\.1:9001 +~ healthy → draining\n[^]*REQUESTS TO +BEFORE +AFTER\n/ })
  t.same(await seen(stage), start, 'asking changed nothing')
  await isthmus(['drain', 'web', web, '--reason', 'test', '--admin', stage.adminUrl])
  await becomes(t, all, after(start, drained.body.stages[0]), 'a drain')
  const [id = ''] = (await isthmus(['overrides', '-o', 'name', '--admin', stage.adminUrl])).out.split('\n')
  const undone = await ask('unset', id)
  t.same(after(await seen(stage), undone.body.stages[0]), start, 'to unset it would bring back what was')
  await isthmus(['unset', id, '--admin', stage.adminUrl])
  await becomes(t, all, start, 'unset')

  const pool = (vms: number) => ({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePool',
    metadata: { name: 'web' },
    spec: {
      mode: 'weighted',
      drainSeconds: 0,
      members: [
        { name: 'new', vm: { service: 'web' }, weight: vms },
        { name: 'old', consul: { service: 'web', source: 'dc1' }, weight: 100 - vms },
      ],
    },
  })
  await stage.file('edited.yaml', JSON.stringify(pool(80)))
  const pooled = await ask('-f', join(stage.folder, 'edited.yaml'))
  t.match(pooled, { code: 0, table: /ServicePool\/default\/web +- +accepted[^]*127\.0\.0\.3:9301 +- healthy[^]*member new +0 % +80 %/ })
  t.same(await seen(stage), start)
  await stage.manifests('pool', [pool(80)])
  await becomes(t, all, after(start, pooled.body.stages[0]), 'a pool')
  const [service] = (await stage.api<{ items: readonly ServiceBody[] }>('/api/v1/services?q=web')).items
  const made = pooled.body.stages[0]?.clusters.filter(one => one.change === 'added').map(one => one.name)
  t.same(service?.clusters, made, 'and its clusters')

  const before = await seen(stage)
  const down = await ask('--source', 'dc1', 'down')
  t.match(down.table, /^at once: dc1 is not reached: its 3 endpoints stay as last read; after 30 s [^\n]*\nnothing differs\n/)
  await consul.kill()
  await eventually('the outage shows', async () => (await stage.api<{ state: string }>('/api/v1/sources/dc1')).state === 'stale')
  await becomes(t, all, after(before, down.body.stages[0]), 'an outage')
  await consul.restart()
  for (const index of [1, 2, 3])
    await consul.register({ name: 'web', id: `web-${String(index)}`, address: '127.0.0.1', port: 9000 + index })
  await eventually('it is back', async () => (await stage.api<{ state: string }>('/api/v1/sources/dc1')).state === 'live')
  await becomes(t, all, before, 'the end of the outage')
  for (const index of [1, 2, 3]) await consul.deregister(`web-${String(index)}`)
  await becomes(t, all, after(before, down.body.stages.at(-1)), 'deregistration of all')

  const lapse = await ask('--source', 'vms', 'down')
  t.match(lapse, { code: 1, table: /finding.*\n {2}no-endpoints default\/web/ }, 'the last ones: that is a finding')
  const overdue = after(await seen(stage), lapse.body.stages[1])
  await stage.registerVm('vm-1', [vmService('web', 9201, { address: '127.0.0.2' })], 1)
  await becomes(t, all, overdue, 'leases that run out')
})

t.test('an edited endpoints file takes away what was said, and nonsense is named (errors.md)', async t => {
  const all = await running(t)
  const { stage, ask } = all
  const start = await seen(stage)
  const gone = await ask('--source', 'legacy', 'gone')
  await stage.file('endpoints.yaml', 'services: []\n')
  await becomes(t, all, after(start, gone.body.stages[0]), 'an emptied file')

  const post = async (body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${stage.adminUrl}/api/v1/what-if`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, ...((await response.json()) as { code?: string; detail?: string; stages?: WhatIfBody['stages'] }) }
  }
  t.match((await post({})).stages, [{ code: 'at-once', differs: false }], 'what-if of nothing')
  const drain = { service: 'default/web', address: '127.0.0.1:9001', action: 'drain' }
  for (const [body, status, code, detail] of [
    [{ sources: [{ name: 'dc2', state: 'down' }] }, 404, 'source-unknown', /dc1/],
    [{ sources: [{ name: 'dc1', state: 'up' }] }, 400, 'request-invalid', /down, gone/],
    [
      {
        sources: [
          { name: 'dc1', state: 'down' },
          { name: 'dc1', state: 'gone' },
        ],
      },
      400,
      'request-invalid',
      /twice/,
    ],
    [{ manifests: 'a: [' }, 400, 'manifest-unreadable', /^manifests:1/],
    [{ manifests: [{ file: 'x.yaml', text: 'kind: Mapping\napiVersion: 5' }] }, 400, 'manifest-invalid', /^x\.yaml:2/],
    [{ without: ['Mapping/default/nope'] }, 404, 'object-unknown', /nope/],
    [{ overrides: [{ ...drain, service: 'default/wep' }] }, 404, 'service-unknown', /default\/wep/],
    [{ overrides: [{ ...drain, address: 'web:80' }] }, 400, 'request-invalid', /IP:PORT/],
    [{ overrides: [{ ...drain, action: 'weight' }] }, 400, 'request-invalid', /value/],
    [{ overrides: [drain, { ...drain, action: 'pin' }] }, 409, 'override-conflict', /drain/],
    [{ unset: ['nope'] }, 404, 'override-unknown', /nope/],
    [{ manifest: '' }, 400, 'request-invalid', /manifests/],
  ] as const)
    t.match(await post(body), { status, code, detail }, code)
  const cli = async (...args: readonly string[]) => isthmus(['what-if', ...args, '--admin', stage.adminUrl])
  for (const [args, code, err] of [
    [[], 2, /say what/],
    [['--source', 'dc1'], 2, /say what becomes of it/],
    [['--source', 'dc2', 'down'], 1, /no source "dc2"/],
    [['explode', 'web'], 2, /nothing that could be done/],
    [['weight', 'web', '127.0.0.1:9001'], 2, /WEIGHT/],
    [['-f', join(stage.folder, 'nope.yaml')], 2, /no such file/],
  ] as const)
    t.match(await cli(...args), { code, out: '', err }, args.join(' '))
})
