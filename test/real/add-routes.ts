import type { Test } from 'tap'
import { type Load, startLoad } from '../tools/load.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage } from './stage.ts'

/**
 * Adds so many routes one by one, each in a file of its own, while requests go to all of them, also to those to come: each answers 404 until it is
 * there and 200 from then on. The services `one` and `two` exist. Gives how long each took from its file to its first answer, ms.
 */
export async function addRoutes(t: Test, stage: Stage, count: number): Promise<readonly number[]> {
  const served = new Set<string>()
  const times: number[] = []
  let turn = 0
  const load = startLoad({
    url: stage.url,
    path: () => `/r-${String((turn = (turn + 1) % count))}/`,
    fails: (path, status) => {
      if (status === 200) served.add(path)
      return !(status === 200 || (status === 404 && !served.has(path)))
    },
    concurrency: 1,
    maxSeconds: 60 + count,
  })
  for (let added = 0; added < count; added++) {
    const name = `r-${String(added)}`
    const written = performance.now()
    await stage.manifests(name, [mappingObject(name, { prefix: `/${name}/`, service: added % 2 === 0 ? 'one' : 'two' })])
    const seen = await stage.answers(`/${name}/`, answer => answer.status !== 404)
    times.push(performance.now() - written)
    if (seen.at(-1) !== 200) t.fail(`${name} answered ${String(seen.at(-1))} first`)
    served.add(`/${name}/`)
  }
  const { requests } = load.report()
  await eventually('each route was asked once more', () => load.report().requests > requests + count, 30_000 + count * 50)
  await nothingFailed(t, load)
  return times
}

export async function nothingFailed(t: Test, load: Load): Promise<void> {
  const report = await load.stop()
  t.same(report.failures, [])
  t.ok(report.requests > 100, 'there was load')
}
