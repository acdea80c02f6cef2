import { AclBaseline } from './acl-baseline.ts'
import { ServiceState } from './service-state.ts'

/** What is kept of a service over the runs of its source, so that a new run takes no more away than the same one going on would. */
export interface KnownService {
  readonly state: ServiceState
  readonly acl: AclBaseline
}

/** What a source keeps over its runs. */
export interface KnownSource {
  readonly services: Map<string, KnownService>
  readonly catalogAcl: AclBaseline
}

export function makeKnownSource(): KnownSource {
  return { services: new Map(), catalogAcl: new AclBaseline() }
}

export function makeKnownService(): KnownService {
  return { state: new ServiceState(), acl: new AclBaseline() }
}
