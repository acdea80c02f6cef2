import t, { type Test } from 'tap'
import { dnsPlugin } from '../../../plugins/dns/index.ts'
import type { DnsSettings } from '../../../plugins/dns/settings.ts'
import { IsthmusError } from '../../../src/model/errors.ts'
import { makeGiven, type Run, startRun } from '../../contract/harness.ts'
import { type NameServer, startNameServer } from './name-server.ts'

/** A name server, and what a source says that asks it. Records hold for 0.1 s. */
async function scene(t: Test, names: DnsSettings['names']): Promise<{ server: NameServer; begin(): Run }> {
  const server = await startNameServer()
  const bounds = { minTtlSeconds: 0.1, maxTtlSeconds: 0.5, timeoutSeconds: 0.2 }
  const { source } = dnsPlugin.create({ names, servers: [server.at], ...bounds }, makeGiven())
  const runs: Run[] = []
  t.teardown(async () => {
    for (const run of runs) await run.stop()
    await server.stop()
  })
  return {
    server,
    begin() {
      const run = startRun(source)
      runs.push(run)
      return run
    },
  }
}

const ttl = 0

t.test('each address of a name, IPv4 and IPv6, is an endpoint, and follows its record', async t => {
  const { server, begin } = await scene(t, { web: 'web.corp.example:8080', 'shop/pay': 'pay.corp.example:443', fixed: '[2001:db8::7]:1' })
  server.records.set('web.corp.example', { addresses: ['10.0.0.1', '10.0.0.2', 'fd00::1'], ttl })
  server.records.set('pay.corp.example', { addresses: ['10.0.1.1'], ttl })
  const { recording } = begin()
  await recording.until(() => recording.syncs > 0)
  t.same(recording.view(), {
    'default/web': ['10.0.0.1:8080', '10.0.0.2:8080', 'fd00::1:8080'],
    'shop/pay': ['10.0.1.1:443'],
    'default/fixed': ['2001:db8::7:1'],
  })
  server.records.set('web.corp.example', { addresses: ['10.0.0.2', '10.0.0.3'], ttl })
  await recording.untilServed('default/web', '10.0.0.2:8080', '10.0.0.3:8080')
  t.same(recording.view()['shop/pay'], ['10.0.1.1:443'])
})

t.test('a name that fails or is silent keeps what it had and costs no other; one that is gone is empty, for the guard to hold', async t => {
  const { server, begin } = await scene(t, { web: 'web.corp.example:80', api: 'api.corp.example:80' })
  server.records.set('web.corp.example', { addresses: ['10.0.0.1'], ttl })
  server.records.set('api.corp.example', { addresses: ['10.0.0.2'], ttl })
  const { recording } = begin()
  await recording.until(() => recording.syncs > 0)
  for (const failure of ['fails', 'silent'] as const) {
    const reports = recording.reports.length
    server.records.set('web.corp.example', failure)
    await recording.until(() => recording.reports.slice(reports).some(one => !one.ok && one.scope === 'default/web'))
    t.match(
      recording.reports.findLast(one => !one.ok),
      { error: /web\.corp\.example gives no answer/ },
    )
    server.records.set('api.corp.example', { addresses: [failure === 'fails' ? '10.0.0.3' : '10.0.0.4'], ttl })
    await recording.untilServed('default/api', failure === 'fails' ? '10.0.0.3:80' : '10.0.0.4:80')
    t.same(recording.view()['default/web'], ['10.0.0.1:80'], failure)
    t.notOk(
      recording.reports.some(one => !one.ok && one.scope === undefined),
      'the source as a whole is read',
    )
  }
  server.records.set('api.corp.example', 'fails')
  await recording.until(() => recording.reports.some(one => !one.ok && one.scope === undefined))
  t.pass('nothing of it is read any more')
  server.records.delete('web.corp.example')
  await recording.untilServed('default/web')
  t.equal(recording.causes.at(-1), 'absent')
  t.equal(recording.reports.findLast(one => one.ok)?.ok, true)
})

t.test('it is in sync once every name has answered, be it that the name does not exist', async t => {
  const { server, begin } = await scene(t, { web: 'web.corp.example:80', api: 'api.corp.example:80' })
  server.records.set('web.corp.example', 'fails')
  const { recording } = begin()
  await recording.until(() => recording.emissions.length > 0 && recording.reports.some(one => !one.ok))
  t.equal(recording.syncs, 0)
  server.records.delete('web.corp.example')
  await recording.until(() => recording.syncs > 0)
  t.same(recording.view(), {})
})

t.test('an address that may not be used is left out and named; a run ends when it is told to', async t => {
  const { server, begin } = await scene(t, { web: 'web.corp.example:80' })
  server.records.set('web.corp.example', { addresses: ['127.0.0.1', '10.0.0.1'], ttl })
  const run = begin()
  await run.recording.until(() => run.recording.syncs > 0)
  t.same(run.recording.view(), { 'default/web': ['10.0.0.1:80'] })
  t.ok(run.recording.reports.some(one => one.ok && /web: 127\.0\.0\.1 is a loopback/.test(one.notice ?? '')))
  server.records.set('web.corp.example', 'silent')
  await run.stop()
  const said = run.recording.emissions.length
  const again = begin()
  server.records.set('web.corp.example', { addresses: ['10.0.0.9'], ttl })
  await again.recording.untilServed('default/web', '10.0.0.9:80')
  t.equal(run.recording.emissions.length, said, 'nothing after the end')
})

t.test('names of the hosts file are known where no name server is set', async t => {
  const { source } = dnsPlugin.create({ names: { here: 'localhost:80' } }, { ...makeGiven(), admitAddress: address => address })
  const run = startRun(source)
  t.teardown(() => run.stop())
  await run.recording.until(() => run.recording.syncs > 0)
  t.ok((run.recording.view()['default/here'] ?? []).some(at => at === '127.0.0.1:80' || at === '::1:80'))
})

t.test('a port that is none is refused', t => {
  t.throws(() => dnsPlugin.create({ names: { web: 'web.corp.example:70000' } }, makeGiven()), {
    constructor: IsthmusError,
    message: /source test: names\.web: port 70000 is none/,
  })
  t.end()
})
