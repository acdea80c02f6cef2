import t from 'tap'
import { checkHealth, type InstanceCheck } from '../../src/model/check-health.ts'
import { check, nodeCheck, serf } from '../plugins/consul/entries.ts'

const own = (status: string, id = 'service:web-1'): InstanceCheck => check(id, status)

interface Row {
  readonly title: string
  readonly checks: readonly InstanceCheck[]
  readonly health: string
  readonly presence?: string
  /** The code of the first reason, none for a plain endpoint. */
  readonly code?: string
  /** What the first reason's text names. */
  readonly names?: RegExp
  readonly warning?: boolean
}

const rows: readonly Row[] = [
  {
    title: "service maintenance drains, although Consul's check of it is critical",
    checks: [serf(), check('_service_maintenance:web-1', 'critical', { Notes: 'new disks' })],
    health: 'draining',
    code: 'maintenance',
    names: /service maintenance.*new disks/,
  },
  {
    title: 'node maintenance drains',
    checks: [serf(), nodeCheck('_node_maintenance', 'critical')],
    health: 'draining',
    code: 'maintenance',
    names: /node maintenance/,
  },
  {
    title: 'maintenance comes before a critical check of the service and of the node',
    checks: [serf('critical'), own('critical'), check('_service_maintenance:web-1', 'critical')],
    health: 'draining',
    code: 'maintenance',
  },
  {
    title: 'a critical service check is unhealthy, and named',
    checks: [serf(), own('passing'), own('critical', 'db')],
    health: 'unhealthy',
    code: 'check-critical',
    names: /check db/,
  },
  {
    title: 'a critical service check comes before the critical checks of its node: it is no suspect',
    checks: [serf('critical'), own('critical')],
    health: 'unhealthy',
    presence: 'live',
    code: 'check-critical',
  },
  {
    title: 'only serfHealth critical: unhealthy, and perhaps only cut off',
    checks: [serf('critical'), own('passing')],
    health: 'unhealthy',
    presence: 'suspect',
    code: 'serf-critical',
  },
  {
    title: 'another node check critical is unhealthy, and named',
    checks: [serf(), nodeCheck('disk', 'critical'), own('passing')],
    health: 'unhealthy',
    code: 'node-check-critical',
    names: /check disk/,
  },
  {
    title: 'serfHealth and another node check critical: no mere partition',
    checks: [serf('critical'), nodeCheck('disk', 'critical')],
    health: 'unhealthy',
    presence: 'live',
    code: 'node-check-critical',
  },
  {
    title: 'a status that Consul does not have yet is unhealthy, and named',
    checks: [serf(), own('resting')],
    health: 'unhealthy',
    code: 'check-unknown',
    names: /check service:web-1=resting/,
  },
  {
    title: 'an unknown status comes before a warning',
    checks: [serf(), own('warning', 'a'), own('resting', 'b')],
    health: 'unhealthy',
    code: 'check-unknown',
  },
  {
    title: 'warning is healthy with the weight for warnings',
    checks: [serf(), own('warning')],
    health: 'healthy',
    code: 'check-warning',
    names: /check service:web-1/,
    warning: true,
  },
  {
    title: 'a warning of the node counts as one',
    checks: [serf(), nodeCheck('disk', 'warning'), own('passing')],
    health: 'healthy',
    code: 'check-warning',
    warning: true,
  },
  { title: 'all passing is healthy without a reason', checks: [serf(), own('passing')], health: 'healthy' },
  { title: 'no checks at all is healthy, and says so', checks: [], health: 'healthy', code: 'no-checks' },
]

t.test('the table of reference/discovery.md 2.4, first match wins', async t => {
  for (const { title, checks, health, presence = 'live', code, names, warning = false } of rows) {
    // The order in which Consul lists checks means nothing.
    for (const ordered of [checks, checks.toReversed()]) {
      const verdict = checkHealth(ordered, {})
      t.match(verdict, { health, presence, warning }, title)
      t.equal(verdict.reasons[0]?.code, code, title)
      if (names !== undefined) t.match(verdict.reasons[0]?.text, names, title)
    }
  }
})

t.test('`warning` decides what a warning is; its weight stays that for warnings', async t => {
  for (const warning of ['healthy', 'degraded', 'unhealthy'] as const) {
    t.match(checkHealth([own('warning')], { warning }), { health: warning, warning: true })
  }
})

t.test('`noChecks` decides what an instance without checks is', async t => {
  t.equal(checkHealth([], { noChecks: 'unknown' }).health, 'unknown')
  t.match(checkHealth([own('critical')], { noChecks: 'unknown', ignoreChecks: ['service:web-1'] }), {
    health: 'unknown',
    reasons: [{ code: 'no-checks' }],
  })
})

t.test('`nodeChecks` decides which checks of the node count; maintenance always does', async t => {
  const sick = [serf('critical'), nodeCheck('disk', 'critical'), own('passing')]
  t.equal(checkHealth(sick, { nodeChecks: 'none' }).health, 'healthy')
  t.match(checkHealth(sick, { nodeChecks: ['disk'] }), { reasons: [{ code: 'node-check-critical', text: /check disk$/ }] })
  t.equal(checkHealth(sick, { nodeChecks: ['Serf Health Status'] }).presence, 'suspect', 'by name too')
  t.equal(checkHealth(sick, { nodeChecks: ['other'] }).health, 'healthy')
  t.equal(checkHealth([nodeCheck('_node_maintenance', 'critical')], { nodeChecks: 'none' }).health, 'draining')
})

t.test('`requiredChecks` decides how many of the own checks must not be critical', async t => {
  const oneOfThree = [serf(), own('passing', 'a'), own('critical', 'b'), own('critical', 'c')]
  for (const [requiredChecks, health] of [
    ['all', 'unhealthy'],
    ['any', 'healthy'],
    [1, 'healthy'],
    [2, 'unhealthy'],
  ] as const) {
    t.equal(checkHealth(oneOfThree, { requiredChecks }).health, health, String(requiredChecks))
  }
  t.match(checkHealth(oneOfThree, { requiredChecks: 'any' }).reasons, [{ text: /check b, check c/ }], 'what is tolerated is named')
  t.equal(checkHealth([own('passing')], { requiredChecks: 3 }).health, 'healthy', 'more than there are means all')
  t.equal(checkHealth([own('critical')], { requiredChecks: 'any' }).health, 'unhealthy', 'none passes')
  t.equal(checkHealth([own('warning', 'a'), own('critical', 'b')], { requiredChecks: 'any' }).warning, true, 'a warning is no critical')
  t.equal(checkHealth([serf('critical'), own('passing')], { requiredChecks: 'any' }).presence, 'suspect', 'node checks are not among them')
})

t.test('`ignoreChecks` leaves checks out by id or by name', async t => {
  const checks = [serf(), own('passing', 'a'), own('critical', 'b')]
  t.equal(checkHealth(checks, { ignoreChecks: ['b'] }).health, 'healthy')
  t.equal(checkHealth(checks, { ignoreChecks: ['check b'] }).health, 'healthy')
  t.equal(checkHealth(checks, { ignoreChecks: ['a'] }).health, 'unhealthy')
})

t.test('reasons do not depend on the order or the output of checks', async t => {
  const checks = [own('critical', 'b'), own('critical', 'a')]
  const noisy = checks.toReversed().map((one, index) => ({ ...one, Output: `ran at ${index}` }))
  t.same(checkHealth(noisy, {}), checkHealth(checks, {}))
})
