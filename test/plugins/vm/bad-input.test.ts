import Fastify from 'fastify'
import t from 'tap'
import { createVmSource } from '../../../plugins/vm/index.ts'
import { makeGiven, startRun } from '../../contract/harness.ts'
import { makeTestClock } from '../../contract/test-clock.ts'

const clock = makeTestClock()
const { source, agentRoutes, leases } = createVmSource({ bodyLimit: 100_000 }, makeGiven({ clock }))
const app = Fastify()
await app.register(agentRoutes)
const run = startRun(source, { clock })
t.teardown(async () => {
  await run.stop()
  await app.close()
})

const web = { name: 'web', address: '10.0.0.1', ports: [{ name: 'http', port: 80 }] }
const send = (payload: unknown, agentId = 'a') =>
  app.inject({
    method: 'PUT',
    url: `/v1/registrations/${agentId}`,
    headers: { 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  })

void t.test('a bad body gets 422 with a pointer to each fault, and nothing changes', async test => {
  await send({ services: [web] })
  const before = run.recording.view()
  const emissions = run.recording.emissions.length
  const cases: [body: unknown, pointer: string, detail: RegExp][] = [
    ['', '', /JSON object/],
    ['{"services": [', '', /no JSON/],
    ['<html></html>', '', /no JSON/],
    [[], '', /must be object/],
    [{}, '/services', /missing/],
    [{ services: [web], ttl: 3 }, '/ttl', /no known key.*"ttlSeconds"/],
    [{ services: [web], ttlSeconds: 'long' }, '/ttlSeconds', /must be number, not "long"/],
    [{ services: [web], ttlSeconds: 0 }, '/ttlSeconds', /> 0/],
    [{ services: [web], zone: 1 }, '/zone', /must be string, not 1/],
    [{ services: [web], region: 'a/b' }, '/region', /neither a slash/],
    [{ services: [null] }, '/services/0', /must be object/],
    [{ services: [web, { ...web, name: 'b', ports: [{ port: 0 }] }] }, '/services/1/ports/0/port', />= 1, not 0/],
    [{ services: [{ ...web, ports: [] }] }, '/services/0/ports', /fewer than 1/],
    [{ services: [{ ...web, ports: [{ port: 80 }, { port: 80, name: 'x' }] }] }, '/services/0/ports/1', /repeats port 80/],
    [{ services: [{ ...web, ports: [{ port: 80 }, { port: 81 }] }] }, '/services/0/ports/1', /second port without a name/],
    [{ services: [{ ...web, address: '127.0.0.1' }] }, '/services/0/address', /loopback/],
    [{ services: [{ ...web, address: 'web.corp.example' }] }, '/services/0/address', /no IP address/],
    [{ services: [web, web] }, '/services/1', /repeats service default\/web of \/services\/0/],
    [{ services: [{ ...web, name: 'a/b' }] }, '/services/0/name', /slash/],
    [{ services: [{ ...web, health: 'sick' }] }, '/services/0/health', /one of healthy, .* not "sick"/],
    [{ services: [{ ...web, weight: 0 }] }, '/services/0/weight', />= 1/],
    [{ services: [{ ...web, meta: { a: 1 } }] }, '/services/0/meta/a', /must be string, not 1/],
    [{ services: [{ ...web, 'a/b': 1 }] }, '/services/0/a~1b', /no known key/],
  ]
  for (const [body, pointer, detail] of cases) {
    const answer = await send(body)
    test.equal(answer.statusCode, 422, JSON.stringify(body))
    test.match(answer.json(), { code: 'request-invalid', status: 422, errors: [{ pointer, detail }] })
  }
  test.strictSame(run.recording.view(), before)
  test.equal(run.recording.emissions.length, emissions)
  test.equal(leases()[0]?.agentId, 'a')
})

void t.test('all faulty services of a body are named, up to twenty', async test => {
  const services = Array.from({ length: 50 }, (_, index) => ({ ...web, name: `s${index}`, ports: [{ port: 0 }] }))
  test.equal((await send({ services })).json<{ errors: unknown[] }>().errors.length, 20)
})

void t.test('a body over the limit gets 413, another media type 415, a bad agent id 422', async test => {
  const large = await send({ services: [{ ...web, meta: { a: 'x'.repeat(100_000) } }] })
  test.match([large.statusCode, large.json()], [413, { code: 'body-too-large', detail: /over 100000 bytes/ }])
  const form = await app.inject({ method: 'PUT', url: '/v1/registrations/a', headers: { 'content-type': 'text/plain' }, payload: 'x' })
  test.match([form.statusCode, form.json()], [415, { code: 'request-invalid', detail: /Content-Type: application\/json/ }])
  const id = await send({ services: [web] }, 'a%20b')
  test.match([id.statusCode, id.json()], [422, { errors: [{ pointer: '/agentId' }] }])
})

void t.test('renewals and endings are checked too', async test => {
  const post = (path: string, payload: object) => app.inject({ method: 'POST', url: `/v1/registrations/a/${path}`, payload })
  test.match((await post('renew', {})).json(), { status: 422, errors: [{ pointer: '/epoch', detail: 'is missing' }] })
  test.match((await post('renew', { epoch: 'x' })).json(), { status: 422, errors: [{ pointer: '/epoch' }] })
  test.match((await post('renew', { epoch: 1, sequence: -1 })).json(), { status: 422, errors: [{ pointer: '/sequence' }] })
  test.match((await post('drain', { epoch: 1, why: 'x' })).json(), { status: 422, errors: [{ pointer: '/why' }] })
  const answer = await app.inject({ method: 'DELETE', url: '/v1/registrations/a?epoch=x' })
  test.match(answer.json(), { status: 422, errors: [{ pointer: '/epoch' }] })
})
