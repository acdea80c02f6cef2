import type { Health } from '../../src/model/health.ts'
import type { Reason } from '../../src/model/reason.ts'
import type { BackendEndpoint } from './backend.ts'

export interface Verdict {
  readonly health: Health
  readonly reasons: readonly Reason[]
}

const verdict = (health: Health, code = '', text = ''): Verdict => Object.freeze({ health, reasons: code === '' ? [] : [{ code, text }] })

const healthy = verdict('healthy')
const readyNotServing = verdict('healthy', 'ready-not-serving', 'not serving, but ready: the Service publishes addresses that are not')
const terminating = verdict('draining', 'terminating', 'the pod is going away')
const lastResort = verdict(
  'draining',
  'serving-terminating',
  'the pod is going away and still serves: used only while no other instance is ready',
)
const stopped = verdict('unhealthy', 'terminating-not-serving', 'the pod is going away and serves no more')
const notReady = verdict('unhealthy', 'not-ready', 'the pod is not ready')
const contradiction = verdict('unhealthy', 'not-ready', 'the pod is not ready, though its slice says that it serves')

/** The table of reference/discovery.md 3.1: an absent `ready` is true, an absent `serving` follows it, an absent `terminating` is false. */
export function judge({
  ready = true,
  serving,
  terminating: going = false,
}: Pick<BackendEndpoint, 'ready' | 'serving' | 'terminating'>): Verdict {
  if (going) return ready ? terminating : serving === false ? stopped : lastResort
  if (ready) return serving === false ? readyNotServing : healthy
  return serving === true ? contradiction : notReady
}
