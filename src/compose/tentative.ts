import type { IncompleteSource } from '../discovery/host.ts'
import type { MemberFilter } from '../ir/assignment.ts'
import type { IsTentative } from '../reconcile/assignments.ts'

/**
 * Which assignments may lack what a source has not told yet (reference/discovery.md 5.7). While a source fills up by itself, all that it may
 * have a part in are; that is soon over. A source that nobody reaches may stay so: it holds back only what would be empty without it.
 */
export function tentativeWhile(incomplete: () => readonly IncompleteSource[]): IsTentative {
  return ({ members }, isEmpty) => {
    const awaited = incomplete().filter(source => mayFill(source, members))
    return awaited.length > 0 && (awaited.some(source => source.told === 'part') || isEmpty())
  }
}

function mayFill(source: IncompleteSource, members: MemberFilter): boolean {
  switch (members.kind) {
    case 'all':
      return true
    case 'type':
      return members.type === source.type
    case 'source':
      return members.source === source.name
  }
}
