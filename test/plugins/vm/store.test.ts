import Fastify from 'fastify'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { createVmSource } from '../../../plugins/vm/index.ts'
import { IsthmusError } from '../../../src/model/errors.ts'
import { makeGiven, type RecordedLog, type Run, startRun } from '../../contract/harness.ts'
import { makeTestClock, type TestClock } from '../../contract/test-clock.ts'

interface Life {
  readonly run: Run
  readonly log: RecordedLog
  register(agentId: string, address?: string): Promise<number>
  call(method: 'POST' | 'DELETE', path: string, payload?: object): Promise<number>
  stop(): Promise<void>
}

/** One life of the gateway on a state folder. */
async function begin(stateFolder: string, clock: TestClock, admitAddress = (address: string) => address): Promise<Life> {
  const given = makeGiven({ clock, stateFolder, admitAddress })
  const { source, agentRoutes } = createVmSource({}, given)
  const app = Fastify()
  await app.register(agentRoutes)
  const run = startRun(source, { clock })
  return {
    run,
    log: given.log,
    async register(agentId, address = '10.0.0.1') {
      const services = [{ name: 'web', address, ports: [{ port: 80 }], tags: ['a'], meta: { version: '2' } }]
      const answer = await app.inject({
        method: 'PUT',
        url: `/v1/registrations/${agentId}`,
        payload: { services, zone: 'z1', region: 'north' },
      })
      return answer.json<{ epoch: number }>().epoch
    },
    async call(method, path, payload) {
      return (await app.inject({ method, url: `/v1/registrations/${path}`, ...(payload === undefined ? {} : { payload }) })).statusCode
    },
    async stop() {
      await run.stop()
      await app.close()
    },
  }
}

async function tempFolder(test: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-vm-'))
  test.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'state')
}

void t.test('leases outlive a restart and get one more lease time; epochs go on growing', async test => {
  const folder = await tempFolder(test)
  const clock = makeTestClock()
  const first = await begin(folder, clock)
  const epoch = await first.register('a')
  await first.register('b', '10.0.0.2')
  const gone = await first.register('c', '10.0.0.3')
  test.equal(await first.call('DELETE', 'c'), 204)
  await first.stop()
  // Down for ten lease times.
  clock.advance(300_000)
  const second = await begin(folder, clock)
  test.teardown(() => second.stop())
  test.match(second.run.recording.groups.get('a/default/web')?.endpoints, [
    {
      address: '10.0.0.1',
      port: 80,
      tags: ['a'],
      meta: { version: '2' },
      presence: 'live',
      health: 'healthy',
      locality: { zone: 'z1', region: 'north' },
    },
  ])
  test.equal(await second.call('POST', 'a/renew', { epoch }), 200)
  test.equal(await second.call('POST', 'c/renew', { epoch: gone - 1 }), 409, 'the tombstone is kept')
  await second.run.recording.until(() => second.run.recording.syncs > 0)
  await clock.untilSleeping()
  clock.advance(30_000)
  await second.run.recording.until(() => second.run.recording.groups.get('b/default/web')?.endpoints[0]?.presence === 'suspect')
  test.ok((await second.register('d', '10.0.0.4')) > gone)
})

void t.test('a lease that was expired stays so over a restart, and a drain too', async test => {
  const folder = await tempFolder(test)
  const clock = makeTestClock()
  const first = await begin(folder, clock)
  await first.register('a')
  await first.run.recording.until(() => first.run.recording.syncs > 0)
  await clock.untilSleeping()
  clock.advance(90_000)
  await first.run.recording.until(() => first.run.recording.groups.get('a/default/web')?.endpoints[0]?.presence === 'expired')
  await first.register('b', '10.0.0.2')
  await first.call('POST', 'b/drain')
  await first.stop()
  const second = await begin(folder, clock)
  test.teardown(() => second.stop())
  const endpoints = ['a', 'b'].map(agent => second.run.recording.groups.get(`${agent}/default/web`)?.endpoints[0])
  test.match(endpoints, [
    { presence: 'expired', health: 'unhealthy' },
    { presence: 'live', health: 'draining' },
  ])
})

void t.test(
  'a registration and a change of health are on disk a few milliseconds later, without a stop; signs of life are not',
  async test => {
    const folder = await tempFolder(test)
    const clock = makeTestClock()
    const life = await begin(folder, clock)
    test.teardown(() => life.stop())
    await life.run.recording.until(() => life.run.recording.syncs > 0)
    await clock.untilSleeping()
    const soon = async (): Promise<void> => {
      await clock.untilSleeping()
      clock.advance(5)
      await clock.untilSleeping()
    }
    const stored = (): { sequence: number; health: string }[] => {
      const database = new DatabaseSync(join(folder, 'leases.db'), { readOnly: true })
      const rows = database.prepare("SELECT sequence, services ->> '$[0].health' AS health FROM leases WHERE agent_id = 'a'").all()
      database.close()
      return rows.map(row => ({ sequence: Number(row['sequence']), health: String(row['health']) }))
    }
    const epoch = await life.register('a')
    await soon()
    test.same(stored(), [{ sequence: 0, health: 'healthy' }])
    await life.call('POST', 'a/renew', { epoch, sequence: 1 })
    await soon()
    test.same(stored(), [{ sequence: 0, health: 'healthy' }])
    await life.call('POST', 'a/renew', { epoch, sequence: 2, health: 'unhealthy' })
    await soon()
    test.same(stored(), [{ sequence: 2, health: 'unhealthy' }])
  },
)

void t.test('a stored service whose address is no longer admitted is left out', async test => {
  const folder = await tempFolder(test)
  const clock = makeTestClock()
  const first = await begin(folder, clock)
  await first.register('a', '127.0.0.1')
  await first.stop()
  const second = await begin(folder, clock, makeGiven().admitAddress)
  test.teardown(() => second.stop())
  test.strictSame(second.run.recording.view(), {})
  test.match(second.log.lines, [{ level: 'warn', data: { code: 'address-refused' }, message: /loopback/ }])
})

void t.test('a damaged database is moved aside and reported, and start goes on', async test => {
  const damages: [name: string, damage: (path: string) => Promise<void>][] = [
    ['truncated', path => truncate(path, 5000)],
    ['empty', path => truncate(path, 0)],
    ['no database', path => writeFile(path, 'not a database, but long enough to be read as the header of one, it seems\n'.repeat(10))],
    [
      'no JSON inside',
      path => {
        const database = new DatabaseSync(path)
        database.exec("UPDATE leases SET services = '[{'")
        database.close()
        return Promise.resolve()
      },
    ],
  ]
  for (const [name, damage] of damages) {
    const folder = await tempFolder(test)
    const clock = makeTestClock()
    const first = await begin(folder, clock)
    const epoch = await first.register('a')
    await first.stop()
    const path = join(folder, 'leases.db')
    await damage(path)
    const damaged = await readFile(path)
    const second = await begin(folder, clock)
    await second.run.recording.until(() => second.run.recording.syncs > 0)
    test.match(second.run.recording.reports.at(-1), { ok: false, code: 'state-damaged', error: /leases\.db was damaged .* moved to/ }, name)
    test.match(second.log.lines, [{ level: 'error', data: { code: 'state-damaged' } }])
    const aside = (await readdir(folder)).find(
      file => file.startsWith('leases.db.damaged-') && !file.endsWith('-wal') && !file.endsWith('-shm'),
    )
    test.same(await readFile(join(folder, aside ?? '')), damaged, 'nothing is lost')
    test.equal(await second.call('POST', 'a/renew', { epoch }), 404, 'the agent is told to register again')
    test.ok((await second.register('a')) >= epoch)
    await second.stop()
    const third = await begin(folder, clock)
    test.match(third.run.recording.view(), { 'default/web': ['10.0.0.1:80'] }, 'the new database works')
    await third.stop()
  }
})

void t.test('a folder that cannot be used fails the run and the request, clearly', async test => {
  const folder = await tempFolder(test)
  const life = await begin(join(folder, 'x'), makeTestClock())
  await life.stop()
  await writeFile(join(folder, 'file'), '')
  const blocked = await begin(join(folder, 'file'), makeTestClock())
  const error = await blocked.run.over
  test.ok(error instanceof IsthmusError && error.code === 'state-unusable')
  test.match(String(error), /leases cannot be read in .*leases\.db/)
  test.equal(await blocked.call('POST', 'a/drain'), 503)
  await blocked.stop()
})
