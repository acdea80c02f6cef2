import type { InstanceCheck } from '../../src/model/check-health.ts'

interface TaggedAddress {
  readonly Address: string
  readonly Port: number
}

/** Where a node or an instance runs, in newer Consul versions. */
interface ConsulLocality {
  readonly Region?: string
  readonly Zone?: string
}

/** One element of `/v1/health/service/:name`: what of it we use. */
export interface HealthEntry {
  readonly Node: {
    readonly Node: string
    readonly Address?: string
    readonly Datacenter?: string
    readonly TaggedAddresses?: Readonly<Record<string, string>> | null
    readonly Meta?: Readonly<Record<string, string>> | null
    readonly Locality?: ConsulLocality | null
  }
  readonly Service: {
    readonly ID: string
    readonly Service: string
    readonly Kind?: string
    /** Of a sidecar: what it stands in front of. */
    readonly Proxy?: { readonly DestinationServiceName?: string; readonly DestinationServiceID?: string } | null
    readonly Connect?: { readonly Native?: boolean } | null
    readonly Address?: string
    /** Left out by newer versions where none was registered. */
    readonly Port?: number | null
    /** Named ports of newer Consul versions. */
    readonly Ports?: readonly { readonly Name: string; readonly Port: number }[] | null
    readonly Tags?: readonly string[] | null
    readonly Meta?: Readonly<Record<string, string>> | null
    readonly Locality?: ConsulLocality | null
    readonly Weights?: { readonly Passing: number; readonly Warning: number }
    readonly TaggedAddresses?: Readonly<Record<string, TaggedAddress>> | null
  }
  readonly Checks: readonly InstanceCheck[]
  /** It came from `/v1/health/connect` (with-sidecars.ts). */
  readonly viaConnect?: true
}

/**
 * Whether a body is a list of health entries: what makes it Consul's, no more. Odd fields within an entry are for the translation to
 * refuse, they cost that instance only.
 */
export function isHealthEntries(body: unknown): body is readonly HealthEntry[] {
  return Array.isArray(body) && body.every(isEntry)
}

function isEntry(value: unknown): boolean {
  const { Node: node, Service: service, Checks: checks } = (value ?? {}) as Partial<Record<string, unknown>>
  return has(node, 'Node', 'string') && has(service, 'ID', 'string') && Array.isArray(checks)
}

/** Whether a body is Consul's list of services: name → tags. */
export function isCatalog(body: unknown): body is Readonly<Record<string, unknown>> {
  return (
    typeof body === 'object' &&
    body !== null &&
    !Array.isArray(body) &&
    Object.values(body).every(tags => tags === null || Array.isArray(tags))
  )
}

function has(value: unknown, key: string, type: string): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[key] === type
}
