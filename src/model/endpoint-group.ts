import type { Endpoint } from './endpoint.ts'
import type { ServiceKey } from './service-key.ts'

/**
 * What a source says at once: the unit of replacement. Sending a group replaces the former one of the same id and source; a group
 * without endpoints deletes it (style.md, principles 1 and 2). The service of an id may change: the group then leaves its old service.
 */
export interface EndpointGroup {
  /** Unique within its source, e.g. a Consul service name, an EndpointSlice's namespace/name, an agent and service. */
  readonly id: string
  readonly service: ServiceKey
  readonly endpoints: readonly Endpoint[]
}
