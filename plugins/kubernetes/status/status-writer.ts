import type { Clock, SourceLog } from '../../../src/discovery/contract.ts'
import type { StatusFeed } from '../../../src/manifests/contract.ts'
import type { ObjectStatus } from '../../../src/manifests/status.ts'
import { errorText } from '../../../src/model/errors.ts'
import type { KubeClient } from '../client.ts'
import { KubeFailure } from '../failure.ts'
import type { Entry, ObjectBook } from '../manifests/object-book.ts'
import { resourceName } from '../manifests/resources.ts'
import { statusOf } from '../manifests/seen.ts'
import type { KubeObject } from '../resource.ts'
import { desiredStatus, isWritten, type StatusPolicy } from './desired-status.ts'

export interface StatusWriterGiven {
  readonly client: KubeClient
  readonly book: ObjectBook
  readonly statuses: StatusFeed
  readonly policy: () => StatusPolicy
  readonly clock: Clock
  readonly random: () => number
  readonly log: SourceLog
}

/** Changes within this time are one round (ms). */
const quietMs = 200
/** Objects that are compared before others get their turn: at most a few ms. */
const slice = 500
/** Writes under way at a time: a large change must not be a flood for the API server. */
const concurrency = 4
/** A kind whose status cannot be written (no right, no status subresource) is tried again after this time. */
const restMs = 300_000
const attempts = 5

/**
 * Writes what became of objects into their `.status`, while it leads. It writes only when what it has to say about an object has changed,
 * not when the status there differs: two gateways that judge one object differently do not fight over it.
 */
export class StatusWriter {
  readonly #given: StatusWriterGiven
  readonly #resting = new Map<string, number>()
  #leads = false
  #fresh = false
  #wake: (() => void) | undefined

  constructor(given: StatusWriterGiven) {
    this.#given = given
  }

  /** Begins or ends writing. A new leader compares everything with what is there. */
  lead(leads: boolean): void {
    this.#leads = leads
    this.#fresh = leads
    this.changed()
  }

  /** Statuses, objects or the policy may have changed. */
  changed(): void {
    this.#wake?.()
  }

  /** Works until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, statuses } = this.#given
    let due = true
    const wake = (): void => {
      due = true
      stopWaiting?.abort()
    }
    let stopWaiting: AbortController | undefined
    this.#wake = wake
    const unsubscribe = statuses.onChange(wake)
    try {
      while (!signal.aborted) {
        if (!due || !this.#leads) {
          stopWaiting = new AbortController()
          due = false
          await clock.sleep(restMs, AbortSignal.any([signal, stopWaiting.signal]))
          due = true
          continue
        }
        due = false
        await clock.sleep(quietMs, signal)
        if (await this.#round(signal)) continue
        // Something could not be written: later again.
        due = true
        await clock.sleep(2000 + 3000 * this.#given.random(), signal)
      }
    } finally {
      unsubscribe()
      this.#wake = undefined
    }
  }

  /** Compares everything and writes what differs; gives whether all of it could be written. */
  async #round(signal: AbortSignal): Promise<boolean> {
    const { statuses, clock } = this.#given
    const fresh = this.#fresh
    this.#fresh = false
    const all = statuses.read()
    const work: { readonly entry: Entry; readonly judged: ObjectStatus; readonly print: string }[] = []
    for (const [index, judged] of all.entries()) {
      if (index % slice === slice - 1) await clock.sleep(0, signal)
      const found = this.#toWrite(judged, fresh)
      if (found !== undefined) work.push(found)
    }
    let complete = true
    const worker = async (): Promise<void> => {
      for (let next = work.pop(); next !== undefined && this.#leads && !signal.aborted; next = work.pop()) {
        const outcome = await this.#write(next.entry, next.judged, signal)
        if (outcome === 'done') next.entry.written = next.print
        if (outcome === 'later') complete = false
      }
    }
    await Promise.all(Array.from({ length: Math.min(concurrency, work.length) }, worker))
    return complete
  }

  #toWrite(judged: ObjectStatus, fresh: boolean): { entry: Entry; judged: ObjectStatus; print: string } | undefined {
    const { book, policy } = this.#given
    const entry = book.find(judged.ref)
    if (entry === undefined || judged.pending === true || this.#rests(entry)) return undefined
    const desired = desiredStatus(judged, entry.generation, {}, policy(), '')
    if (desired === undefined) return undefined
    const print = JSON.stringify(desired)
    return print === entry.written && !fresh ? undefined : { entry, judged, print }
  }

  /** `done`: it says what it should, or never can; `rest`: nothing of this kind can be written; `later`: to be tried again. */
  async #write(entry: Entry, judged: ObjectStatus, signal: AbortSignal): Promise<'done' | 'rest' | 'later'> {
    const { client, book, clock, policy, log } = this.#given
    const { generation } = entry
    for (let attempt = 0; attempt < attempts; attempt++) {
      // What is newer than what was judged is judged itself, soon.
      if (book.find(judged.ref) !== entry || entry.generation !== generation) return 'done'
      if (this.#rests(entry)) return 'rest'
      const now = new Date(clock.wall()).toISOString().replace(/\.\d+Z$/, 'Z')
      const status = desiredStatus(judged, generation, entry.status, policy(), now)
      if (status === undefined || isWritten(status, entry.status)) return 'done'
      try {
        const body = { metadata: { resourceVersion: entry.resourceVersion }, status }
        const path = `${entry.path}/status`
        refresh(entry, await client.call({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json', signal }))
        return 'done'
      } catch (error) {
        if (signal.aborted) return 'later'
        const outcome = await this.#afterFailure(entry, error, signal)
        if (outcome !== 'again') return outcome
      }
    }
    log.warn({ path: entry.path }, 'a status could not be written for others who write; it is tried again')
    return 'later'
  }

  async #afterFailure(entry: Entry, error: unknown, signal: AbortSignal): Promise<'done' | 'rest' | 'later' | 'again'> {
    const { client, log } = this.#given
    const kind = error instanceof KubeFailure ? error.kind : undefined
    if (kind === 'forbidden') return this.#rest(entry, errorText(error))
    if (kind === 'invalid') {
      log.warn({ path: entry.path, error: errorText(error) }, 'the API server refuses the status of an object')
      return 'done'
    }
    if (kind !== 'conflict' && kind !== 'absent') {
      log.warn({ path: entry.path, error: errorText(error) }, 'a status could not be written; it is tried again')
      return 'later'
    }
    try {
      const now = await client.call<KubeObject>({ path: entry.path, signal })
      if (kind === 'absent') return this.#rest(entry, 'the installed CustomResourceDefinition has no status')
      refresh(entry, now)
      return 'again'
    } catch (failure) {
      // Gone: nothing is left to say.
      return failure instanceof KubeFailure && failure.kind === 'absent' ? 'done' : 'later'
    }
  }

  #rests({ resource }: Entry): boolean {
    const since = this.#resting.get(resourceName(resource))
    return since !== undefined && this.#given.clock.now() - since < restMs
  }

  #rest({ resource }: Entry, error: string): 'rest' {
    const name = resourceName(resource)
    this.#resting.set(name, this.#given.clock.now())
    this.#given.log.warn({ resource: `${name}/status`, error, againInSeconds: restMs / 1000 }, 'status of a kind is not written')
    return 'rest'
  }
}

/** Takes what may change without a change of content. */
function refresh(entry: Entry, object: KubeObject): void {
  entry.generation = object.metadata.generation
  entry.resourceVersion = object.metadata.resourceVersion
  entry.status = statusOf(object)
}
