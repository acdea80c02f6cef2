/** An endpoint as Envoy counts it. `excluded`: draining, which counts neither as healthy nor as unhealthy (envoy PR #30622). */
export interface LoadHost {
  readonly key: string
  readonly state: 'healthy' | 'degraded' | 'unhealthy' | 'excluded'
  readonly weight: number
}

export interface LoadLocality {
  /** Share of the priority; counts where `localityWeighted`. */
  readonly weight: number
  readonly hosts: readonly LoadHost[]
}

export interface LoadGiven {
  /** By priority, from 0. */
  readonly priorities: readonly (readonly LoadLocality[])[]
  /** Percent. */
  readonly overprovisioning: number
  /** Percent; 0: never in panic. */
  readonly panicThreshold: number
  readonly localityWeighted: boolean
}

type State = 'healthy' | 'degraded'

/**
 * The share of a cluster's requests that Envoy sends to each host in the long run, adding up to 1; empty when it has none to send to. It is
 * Envoy's own arithmetic, whole percents included: load by priority with overprovisioning, degraded hosts where healthy ones run short,
 * panic, weights of localities, weights of hosts (Envoy's docs, "Priority levels", "Degraded endpoints", "Panic threshold",
 * "Locality weighted load balancing").
 */
export function expectedLoad({ priorities, overprovisioning, panicThreshold, localityWeighted }: LoadGiven): ReadonlyMap<string, number> {
  const load = new Map<string, number>()
  const add = (hosts: readonly LoadHost[], share: number): void => {
    const sum = hosts.reduce((total, host) => total + host.weight, 0)
    for (const { key, weight } of hosts) load.set(key, (load.get(key) ?? 0) + (share * weight) / sum)
  }
  const counts = priorities.map(localities => countsOf(localities.flatMap(({ hosts }) => hosts)))
  const percent = (part: number, total: number): number => (total === 0 ? 0 : Math.min(100, Math.floor((overprovisioning * part) / total)))
  const available = counts.map(({ healthy, degraded, total }) => ({ healthy: percent(healthy, total), degraded: percent(degraded, total) }))
  const sum = Math.min(
    100,
    available.reduce((total, one) => total + one.healthy + one.degraded, 0),
  )
  if (sum === 0 && panicThreshold === 0) return load
  const inPanic = counts.map(
    ({ healthy, degraded, total }) => sum < 100 && total > 0 && ((healthy + degraded) * 100) / total < panicThreshold,
  )
  if (inPanic.every((panic, index) => panic || counts[index]?.total === 0)) {
    const all = counts.reduce((total, one) => total + one.total, 0)
    for (const [index, localities] of priorities.entries()) panicked(localities, (counts[index]?.total ?? 0) / all, add)
    return load
  }
  for (const [index, share] of distribute(available, sum).entries()) {
    const localities = priorities[index] ?? []
    if (inPanic[index] === true) panicked(localities, (share.healthy + share.degraded) / 100, add)
    else for (const state of ['healthy', 'degraded'] as const) spread(localities, state, share[state] / 100, add)
  }
  return load

  function spread(localities: readonly LoadLocality[], state: State, share: number, into: typeof add): void {
    if (share === 0) return
    const found = localities.map(({ weight, hosts }) => {
      const fitting = hosts.filter(host => host.state === state)
      const { total } = countsOf(hosts)
      return { fitting, weight: fitting.length === 0 ? 0 : weight * Math.min(1, (overprovisioning * fitting.length) / total / 100) }
    })
    const weights = found.reduce((total, one) => total + one.weight, 0)
    if (!localityWeighted || weights === 0) {
      into(
        found.flatMap(one => one.fitting),
        share,
      )
      return
    }
    for (const { fitting, weight } of found) if (weight > 0) into(fitting, (share * weight) / weights)
  }
}

/** In panic the health of hosts and the weight of localities do not count. */
function panicked(localities: readonly LoadLocality[], share: number, add: (hosts: readonly LoadHost[], share: number) => void): void {
  if (share > 0)
    add(
      localities.flatMap(({ hosts }) => hosts),
      share,
    )
}

function countsOf(hosts: readonly LoadHost[]): { readonly healthy: number; readonly degraded: number; readonly total: number } {
  const count = (state: LoadHost['state']) => hosts.filter(host => host.state === state).length
  return { healthy: count('healthy'), degraded: count('degraded'), total: hosts.length - count('excluded') }
}

/** Whole percents of each priority: to healthy hosts first, then to degraded ones; what rounding leaves goes to the first that has any. */
function distribute(available: readonly Record<State, number>[], sum: number): readonly Record<State, number>[] {
  const shares = available.map(() => ({ healthy: 0, degraded: 0 }))
  let left = 100
  let first: { readonly index: number; readonly state: State } | undefined
  for (const state of ['healthy', 'degraded'] as const)
    for (const [index, one] of available.entries()) {
      const share = shares[index]
      if (one[state] === 0 || share === undefined) continue
      first ??= { index, state }
      share[state] = Math.min(left, Math.floor((one[state] * 100) / sum))
      left -= share[state]
    }
  const taker = first === undefined ? undefined : shares[first.index]
  if (first !== undefined && taker !== undefined) taker[first.state] += left
  return shares
}
