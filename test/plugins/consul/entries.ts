import type { InstanceCheck } from '../../../src/model/check-health.ts'
import type { HealthEntry } from '../../../plugins/consul/entry.ts'

/** An instance `web-1` on `node-1` at 10.0.0.1:8080, passing, with what Consul fills in; parts can be replaced. */
export function entry(
  service: Partial<HealthEntry['Service']> = {},
  node: Partial<HealthEntry['Node']> = {},
  checks: readonly InstanceCheck[] = [serf(), check('service:web-1', 'passing')],
): HealthEntry {
  const weights = { Passing: 1, Warning: 1 }
  return {
    Node: { Node: 'node-1', Address: '10.9.0.1', Datacenter: 'dc1', ...node },
    Service: { ID: 'web-1', Service: 'web', Address: '10.0.0.1', Port: 8080, Tags: [], Meta: {}, Weights: weights, ...service },
    Checks: checks,
  }
}

/** A check of the instance. */
export function check(id: string, status: string, over: Partial<InstanceCheck> = {}): InstanceCheck {
  return { CheckID: id, Name: `check ${id}`, Status: status, ServiceID: 'web-1', ...over }
}

/** A check of the node. */
export function nodeCheck(id: string, status: string, over: Partial<InstanceCheck> = {}): InstanceCheck {
  return check(id, status, { ServiceID: '', ...over })
}

/** Whether the node's agent is reachable, as the other agents see it. */
export function serf(status = 'passing'): InstanceCheck {
  return nodeCheck('serfHealth', status, { Name: 'Serf Health Status' })
}
