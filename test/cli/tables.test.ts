import t from 'tap'
import { serviceKey } from '../../src/model/service-key.ts'
import { FakeGateway, someRoutes } from '../admin/gateway.ts'
import { isthmus, listening, type Ran } from './cli.ts'

/** What a successful command prints, without the first newline of the expectation. */
function prints(t: Tap, ran: Ran, expected: string, code = 0): void {
  t.equal(ran.err, '')
  t.equal(ran.out, expected.slice(1))
  t.equal(ran.code, code)
}
type Tap = Pick<typeof t, 'equal'>

t.test('sources', async t => {
  const { env } = await listening(t)
  prints(
    t,
    await isthmus(['sources'], { env }),
    `
NAME  TYPE    STATE  AGE  SERVICES  ENDPOINTS  ERROR
dc1   consul  live   1s   1         2          -
vms   vm      stale  60s  1         2          connection refused
`,
  )
  t.match((await isthmus(['sources', '-o', 'wide'], { env })).out, /HELD +RESTARTS/)
})

t.test('what a guard holds, and how it is released', async t => {
  const gateway = new FakeGateway()
  const holds = [
    { service: serviceKey('default', 'web'), rule: 'shrink', endpoints: 3, heldSeconds: 20, confirmInSeconds: 10, releaseInSeconds: 880 },
  ] as const
  gateway.sources = gateway.sources.slice(0, 1).map(source => ({ ...source, held: 3, holds }))
  const { env } = await listening(t, gateway)
  prints(
    t,
    await isthmus(['sources'], { env }),
    `
NAME  TYPE    STATE  AGE  SERVICES  ENDPOINTS  ERROR
dc1   consul  live   1s   1         2          -
dc1: 3 of default/web kept by the shrink guard; read again in 10s, released in 14m at the latest
dc1: if they are really gone: isthmus sources release-guard dc1
`,
  )
  prints(t, await isthmus(['sources', 'release-guard', 'dc1'], { env }), '\ndc1: 3 endpoints released\n')
  prints(t, await isthmus(['sources', 'resync', 'dc1'], { env }), '\ndc1 is read anew\n')
  t.same(gateway.resyncs, ['dc1'])
  t.match(await isthmus(['sources', 'release-guard', 'nope'], { env }), { code: 1, err: /no source "nope"/ })
})

t.test('services, with filters', async t => {
  const { env } = await listening(t)
  prints(
    t,
    await isthmus(['services'], { env }),
    `
SERVICE      SERVED  HEALTH                 SOURCES
default/web  1/2     1 healthy, 1 draining  dc1, vms
shop/pay     1/1     1 healthy              dc1
`,
  )
  prints(t, await isthmus(['services', '-o', 'name', '--source', 'vms'], { env }), '\ndefault/web\n')
  prints(t, await isthmus(['services', 'nothing'], { env }), '\nno services\n')
})

t.test('endpoints of a service, however it is named, and of all', async t => {
  const { env } = await listening(t)
  const expected = `
ADDRESS        PORT  HEALTH    SERVED  SOURCES   WEIGHT  ZONE  AGE  REASON
10.0.0.1:8080  -     healthy   yes     vms, dc1  50      -     60s  known to 2 sources; vms decides over dc1
10.0.0.2:8080  -     draining  no      dc1       100     -     1s   node n2 is in maintenance
`
  for (const name of ['web', 'web.default', 'default/web']) prints(t, await isthmus(['endpoints', name], { env }), expected)
  prints(t, await isthmus(['endpoints', 'pay', '-o', 'name'], { env }), '\n10.0.0.9:9090\n')
  prints(
    t,
    await isthmus(['endpoints', '--source', 'vms', '-o', 'name'], { env }),
    `
default/web 10.0.0.1:8080
`,
  )
  t.match((await isthmus(['endpoints', 'web', '-o', 'wide'], { env })).out, /n2\/web-2/)
})

t.test('proxies: ages of sent and acknowledged by type, and the whole text of a NACK', async t => {
  const { env } = await listening(t)
  prints(
    t,
    await isthmus(['proxies'], { env }),
    `
NODE     VERSION  STATE     CDS SENT/ACK  EDS SENT/ACK  LDS SENT/ACK  RDS SENT/ACK  LAST NACK
envoy-1  1.40.0   rejected  2s/2s         -             -             2s/-          bad regex
envoy-1 rejects route http: bad regex
`,
  )
})

t.test('objects, with what could not be read', async t => {
  const { env } = await listening(t)
  prints(
    t,
    await isthmus(['objects'], { env }),
    `
KIND     NAMESPACE  NAME  STATE     REMARK
Mapping  default    pay   refused   its last good version serves; spec.prefx: unknown field; spec.timeout_ms: expected a whole number o…
Mapping  default    web   accepted  spec.docs has no effect: there is no developer portal
a.yaml:9: Mapping/default/pay: its last good version serves
a.yaml:12: Mapping/default/pay: spec.prefx: unknown field
a.yaml:14: Mapping/default/pay: spec.timeout_ms: expected a whole number of at least 0, got the text "3s"
b.yaml:1: no YAML
warning: there is no Listener
`,
  )
})

t.test('routes in the order they are matched', async t => {
  const gateway = new FakeGateway()
  gateway.routes = someRoutes
  const { env } = await listening(t, gateway)
  prints(
    t,
    await isthmus(['routes'], { env }),
    `
HOST  #  MATCH           TO              ORIGIN
*     0  /web/x GET 30%  default/web     Mapping default/web
*     1  /*              https-redirect  Mapping default/web
`,
  )
})

t.test('agents', async t => {
  const { env } = await listening(t)
  prints(
    t,
    await isthmus(['agents'], { env }),
    `
AGENT  STATE  RENEWED  TTL  SERVICES
vm-1   up     4s       30s  default/web
`,
  )
})

t.test('status, with exit code 1 while the gateway is not ready', async t => {
  const { env, gateway } = await listening(t)
  prints(
    t,
    await isthmus(['status'], { env }),
    `
edge-1  version 1.2.3  up 60s  ready
2 services, 3 endpoints (revision ${gateway.table.revision})
1 object, 1 refused, 1 unreadable; 0 routes, 0 clusters

SOURCE  TYPE    STATE  AGE  ERROR
dc1     consul  live   1s   -
vms     vm      stale  60s  connection refused

ENVOY    STATE     STREAMS
envoy-1  rejected  1
`,
  )
  gateway.readiness = { ready: false, checks: [] }
  const ran = await isthmus(['status'], { env })
  t.equal(ran.code, 1)
  t.match(ran.out, /not ready/)
})

t.test('why: the steps, and how far each Envoy is', async t => {
  const gateway = new FakeGateway()
  gateway.routes = someRoutes
  const { env } = await listening(t, gateway)
  prints(
    t,
    await isthmus(['why', 'web', '10.0.0.1:8080'], { env }),
    `
served: 10.0.0.1:8080 of default/web gets requests: it is healthy, and 1 cluster use it

  1. the service is known to dc1, vms; it has 2 endpoints
  2. vms (vm) says healthy, weight 50: instance vm-1/web
  3. vms is stale (last read 60 s ago): connection refused
  4. dc1 (consul) says healthy, weight 100, port "http": instance n1/web-1
  5. known to 2 sources; vms decides over dc1
  6. together: healthy, weight 50 (vms decides)
  7. cluster web (Mapping default/web) takes it as healthy
  8. sent to 1 of 1 Envoy, acknowledged by 0

ENVOY    CLUSTER  STATE    ACKED  CURRENT
envoy-1  web      pending  v1     v2
`,
  )
  t.equal((await isthmus(['why', 'web', '10.0.0.2:8080', '-o', 'name'], { env })).out, 'withheld\n')
  const absent = await isthmus(['why', 'web', '10.9.9.9:1'], { env })
  t.equal(absent.code, 1)
  t.match(absent.out, /^absent: 10\.9\.9\.9:1 of default\/web is absent/)
  const unknown = await isthmus(['why', 'wep', '10.0.0.1:8080'], { env })
  t.equal(unknown.code, 1)
  t.match(unknown.out, /near names: default\/web/)
})

t.test('json and yaml are what the API gave, all pages of it', async t => {
  const { env, gateway } = await listening(t)
  for (let i = 0; i < 1100; i++) gateway.put('dc1', `many/s${i}`, [{ address: '10.1.0.1', port: 1, id: 'a' }])
  const json = JSON.parse((await isthmus(['services', '-o', 'json'], { env })).out) as { items: { key: string }[]; total: number }
  t.equal(json.items.length, 1102)
  t.equal(new Set(json.items.map(item => item.key)).size, 1102)
  t.match((await isthmus(['sources', '-o', 'yaml'], { env })).out, /^items:\n {2}- name: dc1\n/)
  t.equal(
    (JSON.parse((await isthmus(['why', 'web', '10.0.0.1:8080', '-o', 'json'], { env })).out) as { verdict: string }).verdict,
    'unrouted',
  )
})

t.test('colour on a terminal only, and not with NO_COLOR; text from elsewhere cannot steer the terminal', async t => {
  const { env, gateway } = await listening(t)
  gateway.sources = gateway.sources.map(source => ({ ...source, error: { code: 'source-failed', text: 'a\u001b[31mb\nc', count: 1 } }))
  const colored = await isthmus(['sources'], { env, tty: true })
  t.ok(colored.out.includes('\u001b[32mlive'))
  t.notOk(colored.out.includes('\u001b[31mb'))
  for (const more of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
    t.notOk((await isthmus(['sources'], { env: { ...env, ...more }, tty: true })).out.includes('\u001b'))
  t.notOk((await isthmus(['sources'], { env })).out.includes('\u001b'))
})
