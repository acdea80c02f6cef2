import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import type { Health } from '../../src/model/health.ts'
import type { Reason } from '../../src/model/reason.ts'
import type { LeaseRecord, RegisteredPort, RegisteredService } from './lease.ts'

/** One group per agent and service, so that a change of one touches no other. Joined, because a template would keep both of its parts alive. */
function groupId(agentId: string, { key }: Pick<RegisteredService, 'key'>): string {
  return [agentId, key].join('/')
}

/**
 * A registered service as a group: one endpoint per port, all of one instance. Silence and health are kept apart: a suspect lease keeps
 * its health, only an expired one is unhealthy (reference/discovery.md 4.1).
 * @param owns whether the agent still holds this port of its address
 */
export function groupOf(lease: LeaseRecord, service: RegisteredService, owns: (port: RegisteredPort) => boolean): EndpointGroup {
  const health = healthOf(lease, service)
  const reasons = reasonsOf(lease, service)
  const presence = lease.state === 'up' ? 'live' : lease.state
  // Not pushed one by one: a list that grows keeps room for 17, and there is one list per service of every agent.
  const endpoints = service.ports.filter(owns).map(port =>
    makeEndpoint({
      address: service.address,
      port: port.port,
      portName: port.name,
      protocol: port.protocol,
      weight: service.weight,
      tags: service.tags,
      meta: service.meta,
      id: lease.agentId,
      ...(service.locality === undefined ? {} : { locality: service.locality }),
      health,
      presence,
      reasons,
    }),
  )
  return { id: groupId(lease.agentId, service), service: service.key, endpoints }
}

/** The group that says that an agent no longer has a service. */
export function goneGroup(agentId: string, service: Pick<RegisteredService, 'key'>): EndpointGroup {
  return { id: groupId(agentId, service), service: service.key, endpoints: [] }
}

function healthOf(lease: LeaseRecord, service: RegisteredService): Health {
  if (lease.state === 'expired') return 'unhealthy'
  return lease.draining === undefined ? service.health : 'draining'
}

/** The texts hold nothing that changes with time, so that equal states stay equal. */
function reasonsOf(lease: LeaseRecord, service: RegisteredService): Reason[] {
  const reasons: Reason[] = []
  const ttl = `${lease.ttlMs / 1000} s`
  if (lease.state === 'expired') {
    reasons.push({ code: 'lease-expired', text: `agent ${lease.agentId} was silent for three times its lease time of ${ttl}` })
  }
  if (lease.state === 'suspect') {
    reasons.push({ code: 'lease-suspect', text: `agent ${lease.agentId} did not renew its lease within ${ttl}` })
  }
  if (lease.draining !== undefined) reasons.push({ code: 'agent-drain', text: `agent ${lease.agentId} drains: ${lease.draining}` })
  if (service.health !== 'healthy') reasons.push({ code: 'agent-health', text: `agent ${lease.agentId} says ${service.health}` })
  return reasons
}
