/** What the thread that keeps the state runs: the stores of everything that is written all the time. */
import { lastKnownGoodPart } from '../discovery/last-known-good-store.ts'
import { systemClock } from '../discovery/system-clock.ts'
import { ledgerPart } from '../operate/ledger-store.ts'
import { serveState } from '../state/serve-state.ts'

serveState([ledgerPart, lastKnownGoodPart], () => systemClock.wall())
