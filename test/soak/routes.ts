import t from 'tap'
import { summarise } from '../bench/summary.ts'
import { addRoutes } from '../real/add-routes.ts'
import { startStage, vmService } from '../real/stage.ts'
import type { EnvoyVersion } from '../tools/envoy.ts'
import { startBackends } from '../tools/http-backend.ts'

/**
 * `npm run soak:routes [COUNT] [ENVOY] [delta|sotw]`: 3,000 routes are added one by one through a real Envoy under requests to all of them: none
 * fails (issue 6; xds.md O2).
 */

const [count = '3000', envoyVersion = '1.40', protocol = 'delta'] = process.argv.slice(2)
const slices = 6

t.setTimeout(3_600_000)

await t.test(`${count} routes one by one, Envoy ${envoyVersion}, ${protocol}`, async t => {
  const [one, two] = await startBackends(t, 2)
  const stage = await startStage(t, {
    sources: [{ name: 'vms', type: 'vm' }],
    protocol: protocol === 'sotw' ? 'sotw' : 'delta',
    envoyVersion: envoyVersion as EnvoyVersion,
    ownProcess: true,
  })
  await stage.registerVm('vm-1', [vmService('one', one.port)])
  await stage.registerVm('vm-2', [vmService('two', two.port)])
  const began = performance.now()
  const times = await addRoutes(t, stage, Number(count))
  t.comment(`${((performance.now() - began) / 1000).toFixed(0)} s`)
  const each = Math.ceil(times.length / slices)
  for (let from = 0; from < times.length; from += each) {
    const { p50, p99 } = summarise(times.slice(from, from + each))
    t.comment(
      `routes ${String(from)} to ${String(Math.min(from + each, times.length) - 1)}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    )
  }
})
