import type { IrHealthCheck } from './cluster-options.ts'

/** What a ServicePool says about every cluster that uses it. */
export interface IrPool {
  /** The shares of localities count: mode `weighted`, where each member is a locality. */
  readonly localityWeighted: boolean
  /** Percent of healthy endpoints under which all are used alike; 0: never. */
  readonly panicThreshold: number
  /** A new endpoint takes this long to get its full share; 0: at once. */
  readonly slowStartSeconds: number
  /** Active checks of every endpoint; none: an empty list. */
  readonly healthChecks: readonly IrHealthCheck[]
  readonly outlierDetection?: {
    readonly consecutive5xx: number
    readonly baseEjectionSeconds: number
    /** Of the endpoints, 1 to 100. */
    readonly maxEjectionPercent: number
  }
}
