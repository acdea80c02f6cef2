import type { AssignmentSpec, MemberFilter, PortSelector } from '../../ir/assignment.ts'
import type { ServiceKey } from '../../model/service-key.ts'

/**
 * The EDS name, made of all that decides about the endpoints, so that equal assignments are one: `shop/payments`, `shop/payments:http`,
 * `shop/payments|kubernetes`, `default/payments:8080|source:dc1`, `shop/payments|tls`.
 * @param tls the usual port is 443, not 80, where none is given
 */
export function assignment(service: ServiceKey, port: number | string | undefined, members: MemberFilter, tls = false): AssignmentSpec {
  return Object.freeze({
    name: `${service}${port === undefined ? (tls ? '|tls' : '') : `:${port}`}${memberText(members)}`,
    service,
    port: portSelector(port, tls),
    members,
  })
}

function memberText(members: MemberFilter): string {
  switch (members.kind) {
    case 'all':
      return ''
    case 'type':
      return `|${members.type}`
    case 'source':
      return `|source:${members.source}`
  }
}

function portSelector(port: number | string | undefined, tls: boolean): PortSelector {
  if (port === undefined) return { kind: 'default', tls }
  return typeof port === 'number' ? { kind: 'number', number: port } : { kind: 'name', name: port }
}

/** `stats_name`, else the service as written, non-alphanumerics as `_` (emissary-resources.md 1.2). */
export function statName(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '_')
}
