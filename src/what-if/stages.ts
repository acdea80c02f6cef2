import { guardBounds } from '../discovery/guard-bounds.ts'
import type { SourceGuards } from '../model/pool-rule.ts'
import type { Fate } from './change.ts'

/** A source of which something is to be imagined. */
export interface SuspectSource {
  readonly name: string
  readonly type: string
  /** `down`: it is not reached any more; `gone`: all that it knows is taken away, as when it is taken out of the settings. */
  readonly state: 'down' | 'gone'
  readonly endpoints: number
  /** Its instances register by leases. */
  readonly leased: boolean
  /** As its settings say. */
  readonly guards: SourceGuards | undefined
}

/** A point in time after the change. `at-once`: now; `overdue`: sources stayed away for too long; `gone`: what they knew is gone. */
export interface Stage {
  readonly code: 'at-once' | 'overdue' | 'gone'
  /** What happened by then, a sentence per source. */
  readonly texts: readonly string[]
  /** What becomes of sources then. */
  readonly fates: readonly Fate[]
}

/**
 * The life of sources that fail (reference/discovery.md 5): at once nothing changes, as their last good endpoints stay; then their settings, or the
 * leases, decide; and if their instances are gone as well, or somebody confirms that they are, their endpoints go.
 */
export function stagesOf(sources: readonly SuspectSource[]): readonly Stage[] {
  const down = sources.filter(one => one.state === 'down')
  const gone = sources.filter(one => one.state === 'gone')
  const first: Stage = {
    code: 'at-once',
    texts: [...gone.map(goneText), ...down.map(downText)],
    fates: [...gone.map(one => fate(one, 'drop')), ...down.filter(one => !one.leased).map(one => fate(one, 'stale'))],
  }
  if (down.length === 0) return [first]
  return [
    first,
    { code: 'overdue', texts: down.map(overdueText), fates: down.map(one => fate(one, one.leased ? 'lapse' : 'age')) },
    { code: 'gone', texts: down.map(goneText), fates: down.map(one => fate(one, 'drop')) },
  ]
}

function fate({ name, type, guards }: SuspectSource, kind: Fate['kind']): Fate {
  return { source: { name, type }, kind, guards }
}

function downText({ name, leased, endpoints }: SuspectSource): string {
  return leased
    ? `no agent of ${name} renews its lease: its ${counted(endpoints)} until leases run out, as suspect after the first lease time`
    : `${name} is not reached: its ${counted(endpoints)} as last read; after 30 s others decide about what they know, too`
}

function overdueText({ name, leased, guards }: SuspectSource): string {
  if (leased) return `leases of ${name} have run out, after three times their lease time: nobody vouches for its endpoints`
  const { onStale, maxStaleSeconds } = guardBounds(guards)
  const what = { keep: 'they stay all the same', degrade: 'they count as suspect', drop: 'they go' }[onStale]
  return `${name} was not read for ${maxStaleSeconds} s (guards.maxStaleSeconds), or for as long as a ServicePool says; with onStale: ${onStale}, ${what}`
}

function goneText({ name }: SuspectSource): string {
  return `what ${name} knew is gone: its instances are deregistered, a guard's hold on them is over, or it is out of the settings`
}

function counted(endpoints: number): string {
  return endpoints === 1 ? '1 endpoint stays' : `${endpoints} endpoints stay`
}
