import t, { type Test } from 'tap'
import type { Clock, DiscoverySource } from '../../src/discovery/contract.ts'
import { Recording, type Run, startRun } from './harness.ts'

/** What a source's registry holds about one endpoint in this suite. */
export interface TestEndpoint {
  readonly address: string
  readonly port: number
}

/** A fresh source with a registry of its own, made anew for every test. */
export interface ContractAdapter {
  readonly source: DiscoverySource
  /** Default: real time. */
  readonly clock?: Clock
  /** Makes the registry say that `default/<service>` has exactly these endpoints; none deletes it. Resolves once the registry took it. */
  set(service: string, endpoints: readonly TestEndpoint[]): Promise<void>
  /** Makes the registry fail: the next reads give no usable answer. */
  break(): Promise<void>
  /** Ends the failure. */
  mend(): Promise<void>
  /** Puts something malformed beside the rest, as its own item. */
  setBad(): Promise<void>
  /** Whether the source notices by itself that its registry fails; a source that is only written to (vm) does not. */
  readonly noticesFailure: boolean
  /** Ends everything that `start` began. */
  stop(): Promise<void>
}

const one = { address: '10.1.0.1', port: 8080 }
const two = { address: '10.1.0.2', port: 8080 }
const three = { address: '10.1.0.3', port: 9090 }

/**
 * The rules of `DiscoverySource` (src/discovery/contract.ts; style.md, principles 1 to 3 and 6), run against a source.
 * `start` makes the source and its registry; it is called once per test.
 */
export function contractSuite(name: string, start: () => Promise<ContractAdapter>): void {
  const rule = (title: string, prove: (test: Test, adapter: ContractAdapter, begin: Begin) => Promise<void>): void => {
    void t.test(`${name}: ${title}`, async test => {
      const adapter = await start()
      const runs: Run[] = []
      const begin: Begin = recording => {
        const run = startRun(adapter.source, {
          ...(recording === undefined ? {} : { recording }),
          ...(adapter.clock === undefined ? {} : { clock: adapter.clock }),
        })
        runs.push(run)
        return run
      }
      try {
        await prove(test, adapter, begin)
      } finally {
        for (const run of runs) await run.stop()
        await adapter.stop()
      }
    })
  }

  rule('the first sync comes after everything that exists was emitted', async (test, adapter, begin) => {
    await adapter.set('web', [one, two])
    await adapter.set('api', [three])
    const { recording } = begin()
    await recording.until(() => recording.syncs > 0)
    test.match(recording.view(), { 'default/web': ['10.1.0.1:8080', '10.1.0.2:8080'], 'default/api': ['10.1.0.3:9090'] })
    for (const { endpoints } of recording.groups.values()) {
      for (const endpoint of endpoints) test.match(endpoint, { health: 'healthy', presence: 'live', weight: 100 })
    }
  })

  rule('a changed service replaces its group and no other', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    await adapter.set('api', [three])
    const { recording } = begin()
    await recording.until(() => recording.syncs > 0)
    const before = recording.emissions.length
    await adapter.set('web', [two])
    await recording.untilServed('default/web', '10.1.0.2:8080')
    await adapter.set('web', [one, two])
    await recording.untilServed('default/web', '10.1.0.1:8080', '10.1.0.2:8080')
    test.same(recording.view()['default/api'], ['10.1.0.3:9090'])
    const services = new Set(recording.emissions.slice(before).flatMap(groups => groups.map(group => group.service)))
    test.same([...services], ['default/web'])
  })

  rule('a service that is gone is emitted as an empty group', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    await adapter.set('api', [three])
    const { recording } = begin()
    await recording.until(() => recording.syncs > 0)
    const syncs = recording.syncs
    await adapter.set('web', [])
    await recording.untilServed('default/web')
    test.same(recording.view()['default/api'], ['10.1.0.3:9090'])
    if (recording.syncs === syncs) test.ok(recording.emissions.flat().some(group => group.endpoints.length === 0))
  })

  rule(
    'what the registry takes away while the source follows it is an explicit removal (discovery.md 5.3)',
    async (test, adapter, begin) => {
      await adapter.set('web', [one, two])
      await adapter.set('api', [three])
      const { recording } = begin()
      await recording.until(() => recording.syncs > 0)
      await recording.untilServed('default/web', '10.1.0.1:8080', '10.1.0.2:8080')
      const causeOfLast = () => recording.causes.at(-1)
      await adapter.set('web', [one])
      await recording.untilServed('default/web', '10.1.0.1:8080')
      test.equal(causeOfLast(), 'explicit', 'an endpoint')
      await adapter.set('web', [])
      await recording.untilServed('default/web')
      test.equal(causeOfLast(), 'explicit', 'the service')
    },
  )

  rule('a failure emits nothing, keeps the last good content and is got over', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    let run = begin()
    const { recording } = run
    await recording.until(() => recording.syncs > 0)
    const good = recording.view()
    const emissions = recording.emissions.length
    const reports = recording.reports.length
    await adapter.break()
    if (adapter.noticesFailure) {
      await recording.until(() => run.isOver() || recording.reports.slice(reports).some(report => !report.ok))
      if (run.isOver()) test.ok(await run.over, 'a run that ends by a failure throws it')
    }
    test.same(recording.view(), good)
    test.same(recording.emissions.slice(emissions).flat(), [])
    await adapter.mend()
    await adapter.set('web', [two])
    for (;;) {
      if (run.isOver()) run = begin(recording)
      const current = run
      await recording.until(() => current.isOver() || recording.view()['default/web']?.join() === '10.1.0.2:8080')
      if (!current.isOver()) break
    }
    test.same(recording.view(), { ...good, 'default/web': ['10.1.0.2:8080'] })
  })

  rule('nothing is emitted after the abort, and the run ends', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    const run = begin()
    await run.recording.until(() => run.recording.syncs > 0)
    await run.stop()
    const emissions = run.recording.emissions.length
    await adapter.set('web', [two])
    // A second run sees the change: had the first one still listened, it would have seen it too.
    const second = begin(new Recording())
    await second.recording.untilServed('default/web', '10.1.0.2:8080')
    test.equal(run.recording.emissions.length, emissions)
  })

  rule('a run that is aborted at its start emits nothing', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    const run = begin()
    const emissions = run.recording.emissions.length
    await run.stop()
    test.equal(run.recording.emissions.length, emissions)
  })

  rule('a second run repeats everything, so that the prune after its sync is right', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    await adapter.set('api', [three])
    await adapter.set('old', [two])
    const first = begin()
    const { recording } = first
    await recording.until(() => recording.syncs > 0)
    await first.stop()
    await adapter.set('old', [])
    const syncs = recording.syncs
    begin(recording)
    await recording.until(() => recording.syncs > syncs)
    test.match(recording.view(), { 'default/web': ['10.1.0.1:8080'], 'default/api': ['10.1.0.3:9090'] })
    test.notOk('default/old' in recording.view())
  })

  rule('a bad item costs only itself', async (test, adapter, begin) => {
    await adapter.set('web', [one])
    await adapter.setBad()
    const { recording } = begin()
    await recording.until(() => recording.syncs > 0)
    test.same(recording.view()['default/web'], ['10.1.0.1:8080'])
    await adapter.set('web', [two])
    await recording.untilServed('default/web', '10.1.0.2:8080')
    await adapter.set('api', [three])
    await recording.untilServed('default/api', '10.1.0.3:9090')
    test.pass('the rest goes on')
  })
}

/** Begins a run, with the groups of a former one if its recording is given. */
type Begin = (recording?: Recording) => Run
