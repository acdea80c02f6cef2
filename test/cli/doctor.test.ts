import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { serviceKey } from '../../src/model/service-key.ts'
import { FakeGateway, someRoutes } from '../admin/gateway.ts'
import { temporaryFolder } from '../tools/local.ts'
import { isthmus, listening } from './cli.ts'

interface Doctor {
  readonly checks: readonly {
    readonly check: string
    readonly ok: boolean
    readonly findings: readonly { level: string; subject: string; fix: string }[]
  }[]
}

t.test('doctor names what ails a gateway, each with a fix, and ends with 1 (interface.md)', async t => {
  const gateway = new FakeGateway()
  gateway.routes = someRoutes
  gateway.put('dc1', 'default/web', [])
  gateway.put('vms', 'default/web', [])
  gateway.sources = gateway.sources.map(one => (one.name === 'dc1' ? { ...one, held: 2, notices: ['the token sees no nodes'] } : one))
  gateway.leases = gateway.leases.map(one => ({ ...one, state: 'expired', fenced: [{ place: '10.0.0.1:80', holder: 'vm-2' }] }))
  gateway.readiness = { ready: true, checks: [{ name: 'state', ok: false, detail: 'state.db is full' }] }
  gateway.overrides.put({
    ...{ id: 'o1', service: serviceKey('default', 'web'), address: '10.0.0.7', port: 80 },
    ...{ action: 'drain', reason: 'test', actor: 'test' },
  })
  const { env } = await listening(t, gateway)
  const ran = await isthmus(['doctor', '-o', 'json'], { env })
  t.equal(ran.code, 1)
  const { checks } = JSON.parse(ran.out) as Doctor
  t.same(
    checks.flatMap(({ check, findings }) => findings.map(({ level, subject }) => `${check}: ${level} ${subject}`)),
    [
      'gateway: warning state',
      'sources: warning dc1',
      'sources: note dc1',
      'sources: error vms',
      'agents: warning vm-1',
      'agents: warning vm-1',
      'objects: error b.yaml:1',
      'objects: error Mapping/default/pay',
      'objects: warning configuration',
      'services: error default/web',
      'envoys: error envoy-1',
      'overrides: note o1',
      'overrides: note o1',
    ],
  )
  t.ok(checks.every(({ findings }) => findings.every(({ fix }) => fix.length > 10)))
  const table = await isthmus(['doctor'], { env })
  t.match(table, {
    code: 1,
    out: /^BAD {2}gateway: 1 finding\n[^]*fix: if they are really gone: isthmus sources release-guard dc1\n[^]*\n5 errors, 5 warnings, 3 notes\n$/,
  })
  t.equal((await isthmus(['doctor', '-o', 'name'], { env })).out, 'gateway\nsources\nagents\nobjects\nservices\nenvoys\n')
})

t.test('support-dump holds every part, one that fails says why, and no file is readable to others', async t => {
  const gateway = new FakeGateway()
  const { env } = await listening(t, gateway)
  const file = join(await temporaryFolder(t), 'dump.json')
  t.match(await isthmus(['support-dump', '--file', file], { env }), { code: 0, out: '', err: '' })
  const dump = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  t.match(dump, { status: { id: 'edge-1' }, sources: { items: [{}, {}] }, endpoints: { total: 3 }, metrics: /isthmus_build_info/ })
  const unreadable = () => {
    throw new Error('no ledger')
  }
  Object.defineProperty(gateway.ledger, 'entries', { value: unreadable })
  const broken = JSON.parse((await isthmus(['support-dump'], { env })).out || '{}') as Record<string, unknown>
  t.match(broken['events'], { error: /failed inside/ })
  t.match(await isthmus(['support-dump', '--file', '/nowhere/x'], { env: (await listening(t)).env }), { code: 2, err: /cannot be written/ })
})
