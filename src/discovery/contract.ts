import type { FastifyPluginCallback } from 'fastify'
import type { TSchema } from 'typebox'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { HiddenText } from '../model/hidden-text.ts'
import type { ServiceKey } from '../model/service-key.ts'

/**
 * The contract between a discovery mechanism (plugins/*, or a user's own file) and the gateway. A source translates, it does not decide:
 * merging, guards and precedence are the table's and the host's.
 */

/** What settings need to know of a mechanism, e.g. Consul. */
export interface SourceType {
  /** The `type` in isthmus.yaml. */
  readonly type: string
  /**
   * TypeBox schema of the source's own keys (without `name`, `type`, `namespace`, `addresses`, which every source has). Objects in it take
   * no unknown keys unless they say so, its defaults are filled in, and a string of format `path` arrives as an absolute path.
   */
  readonly schema: TSchema
  /** There may be one source of this type at most: its agents' addresses are fixed. */
  readonly isSingle?: true
}

/** One mechanism. A plugin folder exports exactly one of these from its index.ts. */
export interface SourcePlugin<Settings = unknown> extends SourceType {
  create(settings: Settings, given: SourceGiven): SourceInstance
}

/** A mechanism whose code is read when a source of it is configured: what a gateway does not use takes no memory. */
export interface LazyPlugin extends SourceType {
  load(): Promise<SourcePlugin>
}

/** The mechanisms that a gateway knows. */
export type KnownPlugins = readonly (SourcePlugin | LazyPlugin)[]

/** What every source gets from the gateway at creation. */
export interface SourceGiven {
  readonly name: string
  /** Namespace of services that come without one. */
  readonly namespace: string
  /**
   * Canonical form of an address (an IP literal) if it may be used here; throws IsthmusError `address-refused` saying why not
   * (no IP, unspecified, loopback, link-local, multicast, outside `addresses.only`) and which setting would allow it.
   */
  admitAddress(address: string): string
  readonly log: SourceLog
  /** The clock of its runs too, for what happens between them. */
  readonly clock: Clock
  /** Folder for files of the source's own, or undefined when the gateway keeps no state (`state.path: ":memory:"`). */
  readonly stateFolder: string | undefined
}

export interface SourceInstance {
  readonly source: DiscoverySource
  /** REST routes that agents call; mounted on `agents.listen`, never on the admin address. */
  readonly agentRoutes?: FastifyPluginCallback
  /** Leases for `GET /agents`, if the mechanism has them. */
  readonly leases?: () => readonly Lease[]
  /** A healthy source of this kind reports success at least this often (s); longer silence shows as `lagging`. Event-driven ones leave it out. */
  readonly maxQuietSeconds?: number
  /** What Envoys need to speak to its endpoints, if the mechanism has such. */
  readonly secrets?: SourceSecrets
  /** What the source's watches did so far, for /metrics; one entry per kind of thing that is watched. */
  readonly watches?: () => readonly WatchCounts[]
}

/** Secrets that a source keeps, by name; endpoints in a mesh name them (`Endpoint.mesh`). They go to Envoys by SDS, and into no log and no API. */
export interface SourceSecrets {
  /** Those in force. */
  list(): readonly SourceSecret[]
  /** Calls back when one is new, renewed or gone. */
  onChange(callback: () => void): void
}

/** A certificate chain (leaf first) with its key, or authorities; PEM. Names are unique among all sources: begin them with the source's own. */
export type SourceSecret =
  | { readonly kind: 'certificate'; readonly name: string; readonly certificateChain: string; readonly privateKey: HiddenText }
  | { readonly kind: 'validation'; readonly name: string; readonly trustedCa: string }

/** Counters of the watches of one kind since the current run began. */
export interface WatchCounts {
  /** What is watched, such as `endpointslices`: few and fixed, it becomes a label. */
  readonly resource: string
  /** Known now. */
  readonly objects: number
  readonly events: number
  /** Complete reads. */
  readonly lists: number
  /** Watches that were begun. */
  readonly watches: number
  readonly failures: number
  /** Versions to go on from that the server had forgotten, so that everything was read again. */
  readonly expired: number
  /** Watches that were silent for too long. */
  readonly stalls: number
  /** Objects that a list found to be other than the watch had said. */
  readonly drift: number
}

/**
 * A running reader. The host calls `run` once at a time, and again, after a back-off, whenever it threw.
 *
 * An implementation guarantees:
 * - nothing is emitted after `signal` aborted, and `run` then returns (or throws) within a second;
 * - a failure publishes nothing: what was emitted before stays in force (last known good), and the failure is thrown or reported;
 * - an emitted group is complete; an empty group means that it is authoritatively gone;
 * - `synced` is called after every group that exists was emitted in this run; the host then prunes groups that this run did not repeat.
 */
export interface DiscoverySource {
  run(context: SourceContext): Promise<void>
}

export interface SourceContext {
  readonly signal: AbortSignal
  /**
   * Replaces these groups. Calls of a run that is over are dropped (fencing). `receivedAt`: `clock.now()` when the data arrived here.
   * `cause`: why endpoints that these groups no longer have are gone; see RemovalCause. Default: `absent`.
   */
  emit(groups: readonly EndpointGroup[], receivedAt?: number, cause?: RemovalCause): void
  /** This run has emitted everything that exists. Calling it again after a later full read prunes again. */
  synced(known?: SyncedKnown): void
  /** The source was read successfully (`ok`), or a read failed while the run goes on (`error`, last good data stays). */
  report(freshness: Freshness): void
  /** Services that routes refer to. A source that cannot watch everything watches these first. */
  readonly wanted: Wanted
  readonly log: SourceLog
  readonly clock: Clock
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number
}

/**
 * What a source witnessed of a removal (reference/discovery.md 5.3, 5.4). `explicit`: an event said so (a deregistration, a Kubernetes
 * delete or terminating, an edit of a file, a change that follows without a gap on what was known before); it passes the guards at once.
 * `absent`: the endpoints are merely missing in an answer (a first read, a re-list, a read after a failure); many at once are held.
 */
export type RemovalCause = 'explicit' | 'absent'

export interface SyncedKnown {
  /** Why groups that this run did not repeat are gone. Default: `absent`. */
  readonly cause?: RemovalCause

  /**
   * What was emitted is all that the source knows, but it knows little yet: what exists announces itself by itself within this many ms
   * (agents whose leases were lost). Until then nothing that a running proxy has is taken from it for being unknown here.
   */
  readonly warmingMs?: number
}

/**
 * `scope` names a part of the source (a service), so that its recovery clears just its own error; a success without scope clears all.
 * `notice` is the one current remark about the source as a whole; an empty one takes it back.
 */
export type Freshness =
  | { readonly ok: true; readonly scope?: string; readonly notice?: string }
  | { readonly ok: false; readonly code: string; readonly error: string; readonly scope?: string }

export interface Wanted<Key extends string = ServiceKey> {
  has(key: Key): boolean
  keys(): Iterable<Key>
  /** Calls back on every change until the returned function is called. */
  onChange(callback: () => void): () => void
}

/** Time, injected: milliseconds. */
export interface Clock {
  /** Monotonic, for durations. */
  now(): number
  /** Wall clock (ms since 1970), for people. */
  wall(): number
  /** Resolves after `ms`, or at once when the signal aborts (it does not throw). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface SourceLog {
  debug(data: object, message: string): void
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

/** A VM agent's lease, as the admin API shows it. */
export interface Lease {
  readonly agentId: string
  readonly leaseId: string
  readonly epoch: number
  readonly state: 'up' | 'suspect' | 'expired' | 'draining'
  readonly services: readonly ServiceKey[]
  readonly ttlSeconds: number
  /** Seconds since the last renewal or registration. */
  readonly ageSeconds: number
  /** Addresses with port of this agent that another one registered later, and so holds: nothing is sent there for this agent. */
  readonly fenced: readonly { readonly place: string; readonly holder: string }[]
}
