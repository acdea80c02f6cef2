import type { Health, Presence } from '../../src/model/health.ts'
import type { Reason } from '../../src/model/reason.ts'
import type { ConsulSettings } from './settings.ts'

/** The part of a Consul check that says something; its output changes at each run and is never looked at (reference/discovery.md 2.4). */
export interface ConsulCheck {
  readonly CheckID: string
  readonly Name?: string
  readonly Status: string
  /** Empty for a check of the node. */
  readonly ServiceID: string
  readonly Notes?: string
}

export interface Verdict {
  readonly health: Health
  readonly presence: Presence
  readonly reasons: readonly Reason[]
  /** Consul's weight for warnings applies. */
  readonly warning: boolean
}

type Policy = Pick<ConsulSettings, 'warning' | 'noChecks' | 'nodeChecks' | 'requiredChecks' | 'ignoreChecks'>

/** What an instance's checks, its own and its node's, say together: the first row that fits of the table in reference/discovery.md 2.4. */
export function checkHealth(checks: readonly ConsulCheck[], policy: Policy): Verdict {
  const maintenance = checks.find(check => check.CheckID.startsWith('_service_maintenance:') || check.CheckID === '_node_maintenance')
  if (maintenance !== undefined) {
    const whose = maintenance.CheckID === '_node_maintenance' ? 'node' : 'service'
    const why = maintenance.Notes === undefined || maintenance.Notes === '' ? '' : `: ${maintenance.Notes}`
    return verdict('draining', [{ code: 'maintenance', text: `${whose} maintenance${why}` }])
  }
  const counted = checks.filter(check => counts(check, policy))
  const critical = counted.filter(check => check.Status === 'critical')
  const own = counted.filter(check => check.ServiceID !== '')
  const ownCritical = own.filter(check => check.Status === 'critical')
  if (ownCritical.length > 0 && !enoughPass(own.length, ownCritical.length, policy)) {
    return verdict('unhealthy', [{ code: 'check-critical', text: `critical: ${namesOf(ownCritical)}` }])
  }
  const nodeCritical = critical.filter(check => check.ServiceID === '')
  if (nodeCritical.length > 0) {
    if (nodeCritical.every(check => check.CheckID === 'serfHealth')) {
      const text = 'the agent of its node does not answer the others (serfHealth): the node is down or cut off'
      return { ...verdict('unhealthy', [{ code: 'serf-critical', text }]), presence: 'suspect' }
    }
    return verdict('unhealthy', [{ code: 'node-check-critical', text: `critical on its node: ${namesOf(nodeCritical)}` }])
  }
  // Critical, and yet enough of the others are not.
  const tolerated =
    ownCritical.length === 0 ? [] : [{ code: 'check-tolerated', text: `critical, but enough others are not: ${namesOf(ownCritical)}` }]
  const odd = counted.filter(check => !['passing', 'warning', 'critical'].includes(check.Status))
  if (odd.length > 0) {
    return verdict('unhealthy', [
      { code: 'check-unknown', text: `unknown status ${odd.map(check => `${nameOf(check)}=${check.Status}`).join(', ')}` },
    ])
  }
  const warning = counted.filter(check => check.Status === 'warning')
  if (warning.length > 0) {
    return {
      ...verdict(policy.warning ?? 'healthy', [{ code: 'check-warning', text: `warning: ${namesOf(warning)}` }, ...tolerated]),
      warning: true,
    }
  }
  if (counted.length === 0)
    return verdict(policy.noChecks ?? 'healthy', [{ code: 'no-checks', text: 'no check counts; Consul takes such an instance as passing' }])
  return verdict('healthy', tolerated)
}

function counts(check: ConsulCheck, { ignoreChecks = [], nodeChecks = 'all' }: Policy): boolean {
  const listed = (list: readonly string[]): boolean => list.includes(check.CheckID) || list.includes(nameOf(check))
  if (listed(ignoreChecks)) return false
  if (check.ServiceID !== '' || nodeChecks === 'all') return true
  return nodeChecks !== 'none' && listed(nodeChecks)
}

function enoughPass(all: number, critical: number, { requiredChecks = 'all' }: Policy): boolean {
  const needed = requiredChecks === 'all' ? all : requiredChecks === 'any' ? 1 : Math.min(requiredChecks, all)
  return all - critical >= needed
}

function nameOf(check: ConsulCheck): string {
  return check.Name === undefined || check.Name === '' ? check.CheckID : check.Name
}

function namesOf(checks: readonly ConsulCheck[]): string {
  return checks.map(nameOf).sort().join(', ')
}

function verdict(health: Health, reasons: readonly Reason[]): Verdict {
  return { health, presence: 'live', reasons, warning: false }
}
