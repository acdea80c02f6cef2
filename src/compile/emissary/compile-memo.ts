import type { IrCluster } from '../../ir/route-table.ts'
import type { CheckedObject } from '../../manifests/checked-object.ts'
import { Memo } from '../../model/memo.ts'
import type { ReadMapping, Source } from './read-mapping.ts'
import type { HostRoutes } from './virtual-hosts.ts'

/**
 * What compilations of one gateway, one after the other, need not do again: it changes what they cost, never what they give. Whoever compiles the
 * same objects again and again owns one; without it everything is compiled from scratch.
 */
export class CompileMemo {
  /** What objects of other kinds are in the terms of Mappings, by the object. */
  readonly sources = new Memo<CheckedObject, readonly Source[]>()
  /** One object for all that Mappings are read with, as long as it is the same. */
  readonly surroundings = new Memo<'all', object>()
  readonly mappings = new Memo<CheckedObject, ReadMapping>()
  /** By names of route configuration and domain. */
  readonly hosts = new Memo<string, HostRoutes>()
  /** By name. */
  readonly clusters = new Memo<string, IrCluster>()

  /** A compilation is over: what it had no use for is forgotten. */
  endRound(): void {
    for (const memo of [this.sources, this.surroundings, this.mappings, this.hosts, this.clusters]) memo.endRound()
  }
}
