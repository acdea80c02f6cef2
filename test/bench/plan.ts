/**
 * The work of every case: N services with M endpoints each, addresses in 172.16.0.0/12. A change gives the first endpoint of one service a
 * new address 10.A.B.C made of the change's number, so that the response itself says which change it carries.
 */
export interface Plan {
  readonly services: number
  readonly endpoints: number
}

export const endpointPort = 8080

export function serviceName(service: number): string {
  return `svc-${String(service)}`
}

/** Address of an endpoint before any change; slot 0 is the one that changes. */
export function baseAddress(plan: Plan, service: number, slot: number): string {
  const n = service * plan.endpoints + slot + 1
  return `172.${String(16 + (n >> 16))}.${String((n >> 8) & 255)}.${String(n & 255)}`
}

/** Address that change number `n` (from 1) sets. */
export function changedAddress(n: number): string {
  return `10.${String((n >> 16) & 255)}.${String((n >> 8) & 255)}.${String(n & 255)}`
}
