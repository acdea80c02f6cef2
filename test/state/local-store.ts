import type { Remote } from '../../src/state/thread.ts'

/** A store of this very thread, called as one of another is: in order, answered later, and with copies. */
export function localStore<Store extends object>(store: Store): Remote<Store> {
  let turn: Promise<unknown> = Promise.resolve()
  const call = (name: string, ...args: readonly unknown[]): Promise<unknown> => {
    const copies = structuredClone(args)
    const answer = turn.then(() => structuredClone((store as Record<string, (...args: readonly unknown[]) => unknown>)[name]?.(...copies)))
    turn = answer.catch(() => undefined)
    return answer
  }
  return call as Remote<Store>
}
