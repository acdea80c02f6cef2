import type { AssignmentSpec, MemberFilter, PortSelector } from '../../ir/assignment.ts'
import type { ServiceKey } from '../../model/service-key.ts'

/**
 * The EDS name, made of all that decides about the endpoints, so that equal assignments are one: `shop/payments`, `shop/payments:http`,
 * `shop/payments|kubernetes`, `default/payments:8080|source:dc1`.
 */
export function assignment(service: ServiceKey, port: number | string | undefined, members: MemberFilter): AssignmentSpec {
  return Object.freeze({
    name: `${service}${port === undefined ? '' : `:${port}`}${memberText(members)}`,
    service,
    port: portSelector(port),
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

function portSelector(port: number | string | undefined): PortSelector {
  if (port === undefined) return { kind: 'default', tls: false }
  return typeof port === 'number' ? { kind: 'number', number: port } : { kind: 'name', name: port }
}

/** `stats_name`, else the service as written, non-alphanumerics as `_` (emissary-resources.md 1.2). */
export function statName(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '_')
}
