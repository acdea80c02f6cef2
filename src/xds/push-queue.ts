/** Whoever has something to push. */
export interface Pusher {
  flush(): void
}

export interface PushQueueGiven {
  now(): number
  /** Runs a task after input and output had their turn. */
  readonly defer: (task: () => void) => void
}

/** So long may pushes hold the event loop before ACKs and pings get their turn, ms. */
const sliceMs = 4

/**
 * Streams with something to push, each at most once (style.md, principle 14). The first are served at the end of the current turn, so that
 * a patch of many resources becomes one response; a long row is served in slices (reference/xds.md 5.2).
 */
export class PushQueue {
  readonly #given: PushQueueGiven
  readonly #waiting = new Set<Pusher>()
  #scheduled = false

  constructor(given: PushQueueGiven) {
    this.#given = given
  }

  add(pusher: Pusher): void {
    this.#waiting.add(pusher)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#serve())
  }

  remove(pusher: Pusher): void {
    this.#waiting.delete(pusher)
  }

  #serve(): void {
    const until = this.#given.now() + sliceMs
    for (const pusher of this.#waiting) {
      this.#waiting.delete(pusher)
      pusher.flush()
      if (this.#given.now() >= until) break
    }
    this.#scheduled = this.#waiting.size > 0
    if (this.#scheduled) this.#given.defer(() => this.#serve())
  }
}
