/**
 * `npm run bench:what-if`: how long a what-if takes, and how long it holds up everything else at most, at 1,000 services of 100 endpoints that
 * agents register (100,000 groups) and a Consul knows too, each with a Mapping. Runs in slices as in the gateway.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { inSlices } from '../../src/model/in-slices.ts'
import { systemTimers } from '../../src/reconcile/timers.ts'
import { whatIf } from '../../src/what-if/what-if.ts'
import { base, mapping, override, pool, SmallWorld } from '../what-if/small-world.ts'

const services = 1000
const hosts = 100

const instances = Array.from({ length: services * hosts }, (_, index) => ({
  source: 'vms' as const,
  service: `svc-${index % services}`,
  host: Math.floor(index / services) + 1,
}))
const all = [...instances, ...instances.map(one => ({ ...one, source: 'dc1' as const }))]
const manifests =
  base + Array.from({ length: services }, (_, index) => mapping(`m${index}`, `prefix: /p${index}/, service: svc-${index}`)).join('')
const world = new SmallWorld(all, manifests)
const nothing = { files: [], without: [], overrides: [], unset: [], sources: [], most: 1000 }
const suspect = (name: 'vms' | 'dc1', state: 'down' | 'gone') => ({
  ...{ name, type: name === 'vms' ? 'vm' : 'consul', state, endpoints: services * hosts, leased: name === 'vms' },
  guards: { onStale: 'degrade' as const },
})
const slider = pool(
  'svc-1',
  'mode: weighted, members: [{name: a, vm: {service: svc-1}, weight: 80}, {name: b, consul: {service: svc-1}, weight: 20}]',
)

const questions = {
  nothing,
  'one override': { ...nothing, overrides: [override({ action: 'drain', service: [...world.table.pools()][0]?.service as never })] },
  'an edited ServicePool': { ...nothing, files: [{ file: 'a.yaml', text: slider }] },
  'all 1,000 Mappings': { ...nothing, files: [{ file: 'a.yaml', text: manifests.replaceAll('prefix: /p', 'prefix: /q') }] },
  'Consul down (3 stages)': { ...nothing, sources: [suspect('dc1', 'down')] },
  'all agents down (3 stages)': { ...nothing, sources: [suspect('vms', 'down')] },
}
for (const [name, question] of Object.entries(questions)) {
  for (let round = 0; round < 2; round++) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const begun = performance.now()
    const { stages } = await inSlices(whatIf(world.reality, question), systemTimers)
    const took = performance.now() - begun
    await new Promise(resolve => setTimeout(resolve, 20))
    delay.disable()
    const changes = stages
      .map(
        ({
          difference: {
            endpointCounts: { added, removed, changed },
          },
        }) => added + removed + changed,
      )
      .join('/')
    if (round === 1)
      process.stdout.write(
        `${name.padEnd(28)} ${took.toFixed(0).padStart(6)} ms  longest hold-up ${(delay.max / 1e6).toFixed(0).padStart(4)} ms  endpoints ${changes}\n`,
      )
  }
}
