import type { ManifestProblem } from './contract.ts'
import type { ObjectStatus } from './status.ts'

/** The read-only face of the manifest store, for the admin API and commands. */
export interface ObjectsReader {
  /** Every object that was read, sorted by kind, namespace, name and place. */
  statuses(): readonly ObjectStatus[]
  /** Documents and files that could not be read at all. */
  problems(): readonly ManifestProblem[]
  /** Things wrong with the configuration as a whole, e.g. that there is no Listener. */
  warnings(): readonly string[]
}
