import type { Readiness } from '../admin/readers.ts'
import type { SourceHost } from '../discovery/host.ts'
import type { Settings } from '../settings/settings.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import type { Gate } from './gate.ts'
import type { ManifestHost } from './manifest-host.ts'
import type { Serving } from './serving.ts'
import type { State } from './state.ts'

export interface OpeningGiven {
  readonly gate: Gate
  readonly startup: Settings['startup']
  readonly host: Pick<SourceHost, 'allSynced' | 'allKnown' | 'statuses'>
  readonly manifests: Pick<ManifestHost, 'allSynced'>
  readonly table: Pick<EndpointTable, 'settle'>
  readonly serving: Pick<Serving, 'flush' | 'requested'>
  readonly state: Pick<State, 'problems'>
  /** Is called once, right after the gate has opened. */
  readonly onOpen: () => void
}

/** When the gate opens: once everything was read that is to be waited for, or long enough was waited (discovery.md 5.7, 5.8). */
export class Opening {
  readonly #given: OpeningGiven
  /** All sources have been added: until then one may be the only one, and in sync. */
  #isComplete = false
  /** Long enough was waited for sources that are known from before the start. */
  #isKnownEnough = false
  #isOver = false
  readonly #timers: NodeJS.Timeout[] = []

  constructor(given: OpeningGiven) {
    this.#given = given
  }

  /** All sources have been added; the time they have begins. */
  begin(): void {
    if (this.#isOver) return
    const { gateSeconds, knownSeconds } = this.#given.startup
    this.#isComplete = true
    this.#timers.push(
      setTimeout(() => void this.#open(), gateSeconds * 1000),
      setTimeout(() => {
        this.#isKnownEnough = true
        this.look()
      }, knownSeconds * 1000),
    )
    this.look()
  }

  /** Opens the gate if nothing is left to be waited for. */
  look(): void {
    const { gate, table, serving } = this.#given
    if (gate.open || !this.#allSynced()) return
    table.settle()
    // Objects may ask for Consul sources, whose first read is waited for like that of all others.
    const asked = serving.flush().then(() => serving.requested)
    void asked.then(() => {
      if (this.#allSynced()) void this.#open()
    })
  }

  /** What `/readyz` tells. */
  readiness(): Readiness {
    const { gate, host, state } = this.#given
    return {
      ready: gate.open && !this.#isOver,
      checks: [
        { name: 'gate', ok: gate.open, detail: gate.open ? 'open' : 'waiting for the first sync of all sources' },
        ...host.statuses().map(source => ({
          name: `source ${source.name}`,
          ok: source.error === undefined && source.state !== 'syncing',
          detail: source.error?.text ?? source.state,
        })),
        { name: 'state', ok: state.problems.length === 0, detail: state.problems.join('; ') || 'kept' },
      ],
    }
  }

  /** The gateway stops: it is not ready any more, and a gate that is shut stays so. */
  stop(): void {
    this.#isOver = true
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #allSynced(): boolean {
    const { host, manifests } = this.#given
    return this.#isComplete && (host.allSynced || (this.#isKnownEnough && host.allKnown)) && manifests.allSynced
  }

  async #open(): Promise<void> {
    const { gate, table, serving, onOpen } = this.#given
    table.settle()
    await serving.flush()
    if (gate.open || this.#isOver) return
    gate.release()
    onOpen()
  }
}
