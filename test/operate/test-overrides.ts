import type { Clock } from '../../src/discovery/contract.ts'
import { type OverrideEvent, Overrides, overridesPart } from '../../src/operate/overrides.ts'
import { Database } from '../../src/state/database.ts'
import { WriteBehind } from '../../src/state/write-behind.ts'
import type { EndpointTable } from '../../src/table/endpoint-table.ts'

/** Overrides of a table, kept in a file or in memory. */
export function testOverrides(
  table: EndpointTable,
  clock: Clock,
  { path = ':memory:', record = (_event: OverrideEvent): void => undefined } = {},
): Overrides {
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  return new Overrides({
    clock,
    log: quiet,
    database: new Database({ ...overridesPart, path, wall: () => clock.wall(), onDamage: () => undefined }),
    writer: write => new WriteBehind({ clock, write, onFailure: () => undefined, delayMs: 1000 }),
    changed: services => table.overridesChanged(services, clock.now()),
    record,
  })
}
