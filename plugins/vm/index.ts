import type { SourceGiven, SourceInstance, SourcePlugin } from '../../src/discovery/contract.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { LeaseStore } from './lease-store.ts'
import { agentRoutes } from './routes.ts'
import { vmRules, vmSchema, type VmSettings } from './settings.ts'
import { VmSource } from './vm-source.ts'

/** The vm source: machines that register themselves and keep a lease, see README.md. */
export const vmPlugin: SourcePlugin<VmSettings> = {
  type: 'vm',
  schema: vmSchema,
  isSingle: true,
  create: createVmSource,
}

/** Throws `settings-invalid`; opens nothing yet: the database is opened by the first run or request. */
export function createVmSource(
  settings: VmSettings,
  given: SourceGiven,
): Required<Pick<SourceInstance, 'source' | 'agentRoutes' | 'leases'>> {
  const rules = vmRules(settings, given.name)
  const store = given.stateFolder === undefined ? undefined : new LeaseStore(given.stateFolder, () => given.clock.wall())
  const source = new VmSource(given, new LeaseKeeper(store, given.clock, rules.tombstoneMs), rules.warmingMs)
  return { source, agentRoutes: agentRoutes(source, rules, given), leases: () => source.leases() }
}
