import type { Clock } from '../../src/discovery/contract.ts'

interface Sleeper {
  readonly until: number
  readonly ms: number
  readonly wake: () => void
}

/** Time that passes only when the test says so. */
export class ManualClock implements Clock {
  #now = 0
  readonly #sleepers = new Set<Sleeper>()
  #onSleep: (() => void)[] = []

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (signal?.aborted === true) {
        resolve()
        return
      }
      const sleeper: Sleeper = {
        until: this.#now + ms,
        ms,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake)
      for (const tell of this.#onSleep.splice(0)) tell()
    })
  }

  /** Resolves once something sleeps for exactly that long. */
  async untilAsleep(ms: number): Promise<void> {
    while (![...this.#sleepers].some(sleeper => sleeper.ms === ms)) await new Promise<void>(resolve => this.#onSleep.push(resolve))
  }

  /** Lets time pass, and wakes whoever is due. */
  advance(ms: number): void {
    this.#now += ms
    for (const sleeper of [...this.#sleepers]) if (sleeper.until <= this.#now) sleeper.wake()
  }
}
