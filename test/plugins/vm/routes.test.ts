import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { createVmSource } from '../../../plugins/vm/index.ts'
import type { VmSettings } from '../../../plugins/vm/settings.ts'
import type { SourceInstance } from '../../../src/discovery/contract.ts'
import { makeGiven, type RecordedLog, type Recording, startRun } from '../../contract/harness.ts'
import { makeTestClock, type TestClock } from '../../contract/test-clock.ts'

interface Rig {
  readonly app: FastifyInstance
  readonly clock: TestClock
  readonly recording: Recording
  readonly log: RecordedLog
  readonly instance: SourceInstance
  call(method: 'PUT' | 'POST' | 'DELETE', path: string, payload?: object | string): Promise<LightMyRequestResponse>
  register(agentId: string, payload?: object): Promise<{ epoch: number; leaseId: string; ttlSeconds: number; renewAfterSeconds: number }>
}

const services = [{ name: 'web', address: '10.0.0.1', ports: [{ name: 'http', port: 80 }] }]

async function start(test: Test, settings: VmSettings = {}): Promise<Rig> {
  const clock = makeTestClock()
  const given = makeGiven({ clock })
  const instance = createVmSource(settings, given)
  const app = Fastify()
  await app.register(instance.agentRoutes)
  const run = startRun(instance.source, { clock })
  test.teardown(async () => {
    await run.stop()
    await app.close()
  })
  const call: Rig['call'] = (method, path, payload) =>
    app.inject({
      method,
      url: `/v1/registrations/${path}`,
      ...(payload === undefined ? {} : { payload, headers: { 'content-type': 'application/json' } }),
    })
  return {
    app,
    clock,
    recording: run.recording,
    log: given.log,
    instance,
    call,
    async register(agentId, payload = { services }) {
      const answer = await call('PUT', agentId, payload)
      test.equal(answer.statusCode, 200, answer.body)
      return answer.json()
    },
  }
}

function first(recording: Recording, id = 'a/default/web') {
  return recording.groups.get(id)?.endpoints[0]
}

void t.test('a registration is emitted while it is answered, with all that was said', async test => {
  const { recording, register, instance } = await start(test)
  const lease = await register('a', {
    services: [
      {
        name: 'web',
        namespace: 'shop',
        address: '10.0.0.1',
        ports: [
          { name: 'http', port: 80 },
          { name: 'dns', port: 53, protocol: 'udp' },
        ],
        weight: 50,
        tags: ['x'],
        meta: { version: '2' },
        health: 'degraded',
      },
    ],
    ttlSeconds: 60,
  })
  test.match(lease, { leaseId: String, epoch: Number, ttlSeconds: 60, renewAfterSeconds: 20 })
  test.match(recording.groups.get('a/shop/web'), {
    service: 'shop/web',
    endpoints: [
      {
        address: '10.0.0.1',
        port: 80,
        portName: 'http',
        protocol: 'tcp',
        weight: 50,
        tags: ['x'],
        meta: { version: '2' },
        id: 'a',
        health: 'degraded',
      },
      { port: 53, portName: 'dns', protocol: 'udp', id: 'a', presence: 'live' },
    ],
  })
  test.match(instance.leases?.(), [
    { agentId: 'a', state: 'up', services: ['shop/web'], ttlSeconds: 60, ageSeconds: 0, epoch: lease.epoch },
  ])
})

void t.test('a lease time is granted within the bounds of the settings', async test => {
  const { register } = await start(test, { minTtlSeconds: 5, maxTtlSeconds: 100 })
  for (const [asked, granted] of [
    [undefined, 30],
    [1, 5],
    [1000, 100],
    [7.5, 7.5],
  ] as const) {
    test.equal((await register('a', { services, ...(asked === undefined ? {} : { ttlSeconds: asked }) })).ttlSeconds, granted)
  }
})

void t.test('registering again raises the epoch, replaces the services and emits only what changed', async test => {
  const { recording, register } = await start(test)
  const api = { name: 'api', address: '10.0.0.1', ports: [{ port: 90 }] }
  const one = await register('a', { services: [...services, api] })
  const emissions = recording.emissions.length
  const two = await register('a', { services: [...services, api] })
  test.ok(two.epoch > one.epoch, 'even if nothing changed')
  test.equal(recording.emissions.length, emissions)
  await register('a', { services: [{ ...api, address: '10.0.0.2' }] })
  test.strictSame(
    recording.emissions.at(-1)?.map(group => `${group.id} ${group.endpoints.length}`),
    ['a/default/api 1', 'a/default/web 0'],
  )
})

void t.test('an old epoch gets 409, an unknown lease 404, and neither changes anything', async test => {
  const { recording, register, call } = await start(test)
  const { epoch: old } = await register('a')
  const { epoch } = await register('a')
  const emissions = recording.emissions.length
  const answers: [LightMyRequestResponse, number, string][] = [
    [await call('POST', 'a/renew', { epoch: old, sequence: 1, health: 'unhealthy' }), 409, 'lease-epoch'],
    [await call('POST', 'a/drain', { epoch: old }), 409, 'lease-epoch'],
    [await call('DELETE', `a?epoch=${old}`), 409, 'lease-epoch'],
    [await call('DELETE', 'a', { epoch: epoch + 1 }), 409, 'lease-epoch'],
    [await call('POST', 'b/renew', { epoch }), 404, 'lease-unknown'],
    [await call('POST', 'b/drain'), 404, 'lease-unknown'],
    [await call('DELETE', 'b'), 404, 'lease-unknown'],
  ]
  for (const [answer, status, code] of answers) {
    test.match(answer.headers['content-type'], /^application\/problem\+json/)
    test.match(answer.json(), { code, status, title: String, detail: String })
  }
  test.equal(recording.emissions.length, emissions)
})

void t.test('after a lease ended, its own epoch is unknown and an older one is still refused', async test => {
  const { register, call } = await start(test)
  const { epoch: old } = await register('a')
  const { epoch } = await register('a')
  test.equal((await call('DELETE', `a?epoch=${epoch}`)).statusCode, 204)
  test.equal((await call('POST', 'a/renew', { epoch: old })).statusCode, 409)
  test.equal((await call('POST', 'a/renew', { epoch })).statusCode, 404)
  test.ok((await register('a')).epoch > epoch)
})

void t.test('renewals carry health, for all services or by service; old sequence numbers carry none', async test => {
  const { recording, register, call } = await start(test)
  const { epoch } = await register('a', {
    services: [...services, { name: 'api', namespace: 'shop', address: '10.0.0.1', ports: [{ port: 90 }] }],
  })
  const renew = async (body: object): Promise<unknown> => (await call('POST', 'a/renew', { epoch, ...body })).json()
  test.match(await renew({ sequence: 5, health: { web: 'unhealthy', 'shop/api': 'degraded' } }), {
    epoch,
    sequence: 5,
    renewAfterSeconds: 10,
  })
  test.match([first(recording)?.health, first(recording, 'a/shop/api')?.health], ['unhealthy', 'degraded'])
  test.match(await renew({ sequence: 4, health: 'healthy' }), { sequence: 5 })
  test.equal(first(recording)?.health, 'unhealthy')
  test.match(first(recording)?.reasons, [{ code: 'agent-health' }])
  await renew({ health: 'healthy' })
  test.match([first(recording)?.health, first(recording, 'a/shop/api')?.health], ['healthy', 'healthy'])
  test.match(await renew({ health: { other: 'healthy' } }), { status: 422, errors: [{ pointer: '/health/default~1other' }] })
})

void t.test('silence makes a lease suspect, expired and at last gone; a renewal brings it back', async test => {
  const { recording, register, call, clock, instance, log } = await start(test, { tombstoneSeconds: 1000 })
  const { epoch } = await register('a')
  const state = (): unknown => instance.leases?.()[0]?.state
  clock.advance(29_999)
  test.equal(first(recording)?.presence, 'live')
  clock.advance(1)
  await recording.until(() => first(recording)?.presence === 'suspect')
  test.match(first(recording), { health: 'healthy', reasons: [{ code: 'lease-suspect' }] }, 'a suspect keeps its traffic')
  test.equal(state(), 'suspect')
  await clock.untilSleeping()
  clock.advance(60_000)
  await recording.until(() => first(recording)?.presence === 'expired')
  test.match(first(recording), { health: 'unhealthy', reasons: [{ code: 'lease-expired' }] })
  await call('POST', 'a/renew', { epoch })
  test.match(first(recording), { health: 'healthy', presence: 'live', reasons: [] })
  await clock.untilSleeping()
  clock.advance(90_000)
  await recording.until(() => first(recording)?.presence === 'expired')
  await clock.untilSleeping()
  clock.advance(1_000_000)
  await recording.until(() => first(recording) === undefined)
  test.strictSame(instance.leases?.(), [])
  test.equal((await call('POST', 'a/renew', { epoch })).statusCode, 404)
  const events = log.lines.map(line => (line.data as { event?: string }).event)
  test.strictSame(events, ['lease-registered', 'lease-suspect', 'lease-expired', 'lease-returned', 'lease-expired', 'lease-tombstoned'])
})

void t.test('a draining agent drains, whatever its renewals say, until it registers again', async test => {
  const { recording, register, call, instance } = await start(test)
  const { epoch } = await register('a')
  test.equal((await call('POST', 'a/drain', { epoch, reason: 'kernel update' })).statusCode, 200)
  test.match(first(recording), { health: 'draining', reasons: [{ code: 'agent-drain', text: /kernel update/ }] })
  await call('POST', 'a/renew', { epoch, health: 'healthy' })
  test.equal(first(recording)?.health, 'draining')
  test.equal(instance.leases?.()[0]?.state, 'draining')
  await register('a')
  test.equal(first(recording)?.health, 'healthy')
})

void t.test('an address that registers anew fences the agent that had it, until it is given up', async test => {
  const { recording, register, call, log, instance } = await start(test)
  await register('old', {
    services: [
      {
        name: 'web',
        address: '10.0.0.1',
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
      },
    ],
  })
  await register('new', { services: [{ name: 'other', address: '10.0.0.1', ports: [{ port: 80 }] }] })
  test.strictSame(
    recording.groups.get('old/default/web')?.endpoints.map(endpoint => endpoint.port),
    [81],
  )
  test.match(
    log.lines.find(line => line.level === 'warn'),
    { data: { event: 'lease-fenced', agentId: 'old' }, message: /10\.0\.0\.1 80\/tcp, by agent new/ },
  )
  const fencedPlaces = () => instance.leases?.().map(lease => [lease.agentId, lease.fenced])
  test.strictSame(fencedPlaces(), [
    ['old', [{ place: '10.0.0.1 80/tcp', holder: 'new' }]],
    ['new', []],
  ])
  test.match(recording.reports.at(-1), { ok: true, notice: /10\.0\.0\.1 80\/tcp \(agent new holds it, old too claims it\)/ })
  await call('DELETE', 'new')
  test.strictSame(fencedPlaces(), [['old', []]])
  test.match(recording.reports.at(-1), { ok: true, notice: '' }, 'the notice is taken back')
  test.strictSame(
    recording.groups.get('old/default/web')?.endpoints.map(endpoint => endpoint.port),
    [80, 81],
  )
})

void t.test('what is registered between two runs is emitted by the next one', async test => {
  const clock = makeTestClock()
  const { source, agentRoutes } = createVmSource({}, makeGiven({ clock }))
  const app = Fastify()
  await app.register(agentRoutes)
  test.teardown(() => app.close())
  await app.inject({ method: 'PUT', url: '/v1/registrations/a', payload: { services } })
  const run = startRun(source, { clock })
  await run.recording.untilServed('default/web', '10.0.0.1:80')
  await run.stop()
})

void t.test('settings that do not fit are refused with their key', async test => {
  const cases: [VmSettings, RegExp][] = [
    [{ store: { type: 'consul' } }, /store\.type consul is not built/],
    [{ minTtlSeconds: 10, maxTtlSeconds: 5 }, /minTtlSeconds 10 is above maxTtlSeconds 5/],
    [{ defaultTtlSeconds: 10, maxTtlSeconds: 5 }, /defaultTtlSeconds 10 is not between/],
  ]
  for (const [settings, message] of cases) {
    test.throws(() => createVmSource(settings, makeGiven()), { code: 'settings-invalid', message })
  }
})
