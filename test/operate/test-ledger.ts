import type { Clock } from '../../src/discovery/contract.ts'
import { Ledger } from '../../src/operate/ledger.ts'
import { ledgerPart } from '../../src/operate/ledger-store.ts'
import { Database } from '../../src/state/database.ts'
import { WriteBehind } from '../../src/state/write-behind.ts'
import type { EndpointTable } from '../../src/table/endpoint-table.ts'
import { localStore } from '../state/local-store.ts'

/** The ledger of a table, kept in a file or in memory. */
export function testLedger(
  table: EndpointTable,
  clock: Clock,
  { path = ':memory:', maxBytes = 100_000_000, maxAgeMs = 7 * 86_400_000 } = {},
): Ledger {
  const wall = () => clock.wall()
  const database = new Database({ ...ledgerPart, path, wall, onDamage: () => undefined })
  const ledger = new Ledger({
    clock,
    store: localStore(ledgerPart.open(database, { maxBytes, maxAgeMs }, wall)),
    writer: write => new WriteBehind({ clock, write, onFailure: () => undefined, delayMs: 0 }),
    random: Math.random,
  })
  table.onChange(change => ledger.note(change))
  return ledger
}
