import type { ServiceKey } from '../../model/service-key.ts'
import { type Conflict, findConflicts } from '../../table/conflicts.ts'
import type { TableReader } from '../../table/reader.ts'

const known = new WeakMap<TableReader, { readonly revision: number; readonly conflicts: readonly Conflict[] }>()

/** All conflicts of the table as it stands; looked for once per revision, and only when somebody asks. */
export function conflictsOf(table: TableReader): readonly Conflict[] {
  const last = known.get(table)
  const pools = table.pools()
  if (last?.revision === table.revision) return last.conflicts
  const conflicts = findConflicts(pools)
  known.set(table, { revision: table.revision, conflicts })
  return conflicts
}

/** How many conflicts each service is part of. */
export function conflictCounts(table: TableReader): ReadonlyMap<ServiceKey, number> {
  const counts = new Map<ServiceKey, number>()
  for (const { services } of conflictsOf(table)) for (const service of services) counts.set(service, (counts.get(service) ?? 0) + 1)
  return counts
}
