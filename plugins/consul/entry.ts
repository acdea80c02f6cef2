import type { ConsulCheck } from './check-health.ts'

interface TaggedAddress {
  readonly Address: string
  readonly Port: number
}

/** One element of `/v1/health/service/:name`: what of it we use. */
export interface HealthEntry {
  readonly Node: {
    readonly Node: string
    readonly Address: string
    readonly TaggedAddresses?: Readonly<Record<string, string>> | null
    readonly Meta?: Readonly<Record<string, string>> | null
  }
  readonly Service: {
    readonly ID: string
    readonly Service: string
    readonly Kind?: string
    readonly Address: string
    readonly Port: number
    /** Named ports of newer Consul versions. */
    readonly Ports?: readonly { readonly Name: string; readonly Port: number }[] | null
    readonly Tags?: readonly string[] | null
    readonly Meta?: Readonly<Record<string, string>> | null
    readonly Weights?: { readonly Passing: number; readonly Warning: number }
    readonly TaggedAddresses?: Readonly<Record<string, TaggedAddress>> | null
  }
  readonly Checks: readonly ConsulCheck[]
}

/** Whether a body is a list of health entries, as deep as we rely on it. */
export function isHealthEntries(body: unknown): body is readonly HealthEntry[] {
  return Array.isArray(body) && body.every(isEntry)
}

function isEntry(value: unknown): boolean {
  const { Node: node, Service: service, Checks: checks } = (value ?? {}) as Partial<Record<string, unknown>>
  return (
    has(node, 'Node', 'string') &&
    has(node, 'Address', 'string') &&
    has(service, 'ID', 'string') &&
    has(service, 'Port', 'number') &&
    has(service, 'Address', 'string') &&
    Array.isArray(checks) &&
    checks.every(check => has(check, 'CheckID', 'string') && has(check, 'Status', 'string') && has(check, 'ServiceID', 'string'))
  )
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
