import type { Health, Presence } from './health.ts'
import type { Reason } from './reason.ts'

/**
 * The part of a check that says something, in the words of Consul, the one registry that tells of single checks. Its output changes at each run and is never looked at (reference/discovery.md 2.4).
 */
export interface InstanceCheck {
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

/** What checks mean (reference/discovery.md 2.4); what is left out: warnings are healthy, all checks count, all must not be critical. */
export interface CheckPolicy {
  readonly warning?: 'healthy' | 'degraded' | 'unhealthy'
  readonly requiredChecks?: 'all' | 'any' | number
  /** By id or name. */
  readonly ignoreChecks?: readonly string[]
  readonly nodeChecks?: 'all' | 'none' | readonly string[]
  /** What an instance is of which no check counts. */
  readonly noChecks?: 'healthy' | 'unknown'
}

/** Checks of an instance that are not all passing, and what they mean to the source: a ServicePool may take them otherwise. */
export interface JudgedChecks {
  readonly list: readonly InstanceCheck[]
  readonly policy: CheckPolicy
}

/** What an instance's checks, its own and its node's, say together: the first row that fits of the table in reference/discovery.md 2.4. */
export function checkHealth(checks: readonly InstanceCheck[], policy: CheckPolicy): Verdict {
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

function counts(check: InstanceCheck, { ignoreChecks = [], nodeChecks = 'all' }: CheckPolicy): boolean {
  const listed = (list: readonly string[]): boolean => list.includes(check.CheckID) || list.includes(nameOf(check))
  if (listed(ignoreChecks)) return false
  if (check.ServiceID !== '' || nodeChecks === 'all') return true
  return nodeChecks !== 'none' && listed(nodeChecks)
}

function enoughPass(all: number, critical: number, { requiredChecks = 'all' }: CheckPolicy): boolean {
  const needed = requiredChecks === 'all' ? all : requiredChecks === 'any' ? 1 : Math.min(requiredChecks, all)
  return all - critical >= needed
}

function nameOf(check: InstanceCheck): string {
  return check.Name === undefined || check.Name === '' ? check.CheckID : check.Name
}

function namesOf(checks: readonly InstanceCheck[]): string {
  return checks.map(nameOf).sort().join(', ')
}

function verdict(health: Health, reasons: readonly Reason[]): Verdict {
  return { health, presence: 'live', reasons, warning: false }
}
