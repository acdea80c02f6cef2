/** What clients do that they should not, as `isthmus_xds_client_faults_total` counts it. Each ends or slows nothing but that client. */
export type ClientFault =
  /** Bytes that are no request (C19). */
  | 'garbage'
  /** A first message without a node id (C2). */
  | 'nameless'
  /** A later message with another node id (C3). */
  | 'renamed'
  /** No type URL on ADS, or that of another type on a service of one (C7). */
  | 'wrong-type'
  /** A type that is not served (C8). */
  | 'unknown-type'
  /** A certificate that does not name the node (L10). */
  | 'identity'
  /** More new streams than are let in at a time (L7). */
  | 'throttled'
  /** More names than anybody can need. */
  | 'too-many-names'
  /** A response that was neither acknowledged nor refused in time (D15). */
  | 'unanswered'
  /** It was sent more at once than gRPC clients take by default (G6): no fault of its own, but its view is too large for it. */
  | 'oversized'
  /** It has not read for so long that it is cut off (L4). */
  | 'stuck'

/** Bounds that were used, as `isthmus_xds_bounds_total` counts them: `gating` O3, `answer` D15, `admission` L7 (a stream had to wait). */
export type Bound = 'gating' | 'answer' | 'admission'
