import type { IrCluster, IrRoute } from './route-table.ts'

/** What a proxyless gRPC client gets that dials `xds:///NAME`. */
export interface IrGrpcTarget {
  /** As dialled, byte for byte. */
  readonly name: string
  /** Only what gRPC knows: forwards, without conditions on pseudo-headers or query parameters. */
  readonly routes: readonly IrRoute[]
  /** Those that the routes name. */
  readonly clusters: readonly IrCluster[]
}

/** The names that proxyless gRPC clients can dial, answered one by one: there may be as many as there are services. */
export interface GrpcNames {
  /** Undefined: no Mapping has this hostname, and no source has ever known such a service. */
  target(name: string): IrGrpcTarget | undefined
  /**
   * A cluster of some target, by its name there: a client that reconnects may ask for its clusters before it asks for the target.
   * Undefined if there is none.
   */
  cluster(name: string): IrCluster | undefined
}
