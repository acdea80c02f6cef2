import type { SourceHost } from '../discovery/host.ts'
import type { ManifestStore } from '../manifests/store.ts'
import { IsthmusError } from '../model/errors.ts'
import { didYouMean } from '../model/nearest.ts'
import type { Override } from '../model/override.ts'
import { conflictError } from '../operate/overrides.ts'
import { inSlices } from '../model/in-slices.ts'
import { systemTimers } from '../reconcile/timers.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import type { Reality } from '../what-if/imagine.ts'
import type { SuspectSource } from '../what-if/stages.ts'
import { type Asked, type Consequences, whatIf } from '../what-if/what-if.ts'
import type { Operate } from './operate.ts'
import type { Serving } from './serving.ts'
import type { Sources } from './sources.ts'

export interface WhatIfGiven {
  readonly host: Pick<SourceHost, 'statuses'>
  readonly sources: Pick<Sources, 'hosted'>
  readonly operate: Pick<Operate, 'overrides'>
  readonly table: EndpointTable
  readonly store: ManifestStore
  readonly serving: Pick<Serving, 'compiled' | 'dynamicAssignments'>
  readonly compile: Reality['compile']
}

/**
 * Answers questions about the running gateway, one at a time and in slices, so that nothing else waits.
 * @throws IsthmusError naming what is not there: `source-unknown`, `service-unknown`, `override-unknown`, `object-unknown`; `override-conflict`,
 * `manifest-invalid`, `manifest-unreadable`
 */
export function whatIfDesk(given: WhatIfGiven): (asked: Asked) => Promise<Consequences> {
  const { operate, table, store, serving, compile } = given
  let turn: Promise<unknown> = Promise.resolve()
  return asked => {
    const answer = turn.then(async () => {
      const compiled = await serving.compiled()
      if (compiled === undefined) throw new IsthmusError('internal', 'nothing could be compiled; the log says why')
      const overrides = operate.overrides.list().map(one => one.override)
      const reality = { table, store, compiled, compile, overrides, dynamic: serving.dynamicAssignments }
      demandOverrides(asked, overrides, table)
      return inSlices(whatIf(reality, { ...asked, sources: asked.sources.map(one => suspect(one, given)) }), systemTimers)
    })
    turn = answer.catch(() => undefined)
    return answer
  }
}

function suspect({ name, state }: Asked['sources'][number], { host, sources }: WhatIfGiven): SuspectSource {
  const all = host.statuses()
  const status = all.find(one => one.name === name)
  const source = sources.hosted(name)
  if (status === undefined || source === undefined) {
    const names = all.map(one => one.name)
    const hint = didYouMean(name, names)
    throw new IsthmusError('source-unknown', `no source "${name}"; ${hint === '' ? `there are: ${names.join(', ') || 'none'}` : hint}`)
  }
  const leased = source.instance.leases !== undefined
  return { name, type: status.type, state, endpoints: status.endpoints, leased, guards: source.guards }
}

function demandOverrides({ overrides, unset }: Asked, now: readonly Override[], table: EndpointTable): void {
  const ids = now.map(one => one.id)
  for (const id of unset) {
    if (ids.includes(id)) continue
    const hint = didYouMean(id, ids)
    throw new IsthmusError('override-unknown', `there is no override "${id}"; ${hint === '' ? 'isthmus overrides lists them' : hint}`)
  }
  const left = now.filter(one => !unset.includes(one.id) && !overrides.some(other => other.id === one.id))
  for (const [index, override] of overrides.entries()) {
    if (table.pool(override.service) === undefined)
      throw new IsthmusError('service-unknown', `no source has ever named the service ${override.service}: an override of it does nothing`)
    const other = [...left, ...overrides.slice(0, index)].find(one => isSamePlace(one, override))
    if (other !== undefined) throw conflictError(other, override)
  }
}

function isSamePlace(a: Override, b: Override): boolean {
  return a.service === b.service && a.address === b.address && a.port === b.port
}
