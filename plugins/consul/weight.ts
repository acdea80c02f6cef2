import type { Reason } from '../../src/model/reason.ts'
import type { HealthEntry } from './entry.ts'
import type { ConsulSettings } from './settings.ts'

export interface Weighed {
  /** 0 means: keep the instance, send it nothing. */
  readonly weight: number
  readonly reasons: readonly Reason[]
}

/** The sum of a locality's weights must stay within 32 bits. */
const maxWeight = 1_000_000

/**
 * The weight on the fixed scale where 100 is an ordinary instance (reference/discovery.md 2.5): Consul's own unless it is the 1/1 that
 * Consul fills in, then metadata `weight`, then a tag `weight:N`. What is written there and is no number counts as not written. Pure.
 * @param warning Consul's weight for warnings applies
 */
export function weigh(service: HealthEntry['Service'], warning: boolean, settings: ConsulSettings): Weighed {
  const reference = settings.weightReference ?? 1
  const { Weights: weights } = service
  const isSet = weights !== undefined && (weights.Passing !== 1 || weights.Warning !== 1)
  const tag = service.Tags?.find(one => /^weight:\d+$/.test(one))?.slice('weight:'.length)
  const written = isSet ? (warning ? weights.Warning : weights.Passing) : (service.Meta?.['weight'] ?? tag)
  if (written === undefined) return { weight: scaled(reference, reference, settings), reasons: [] }
  const number = typeof written === 'number' ? written : /^\d+(\.\d+)?$/.test(written) ? Number(written) : NaN
  if (!Number.isFinite(number) || number < 0) {
    const text = `the weight "${String(written).slice(0, 40)}" is no number of at least 0: it counts as an ordinary one`
    return { weight: scaled(reference, reference, settings), reasons: [{ code: 'weight-invalid', text }] }
  }
  if (number === 0) return { weight: 0, reasons: [{ code: 'weight-zero', text: 'its weight in Consul is 0' }] }
  return { weight: scaled(number, reference, settings), reasons: [] }
}

function scaled(number: number, reference: number, { weightMultiplier = 1 }: ConsulSettings): number {
  return Math.min(maxWeight, Math.max(1, Math.round((100 * number * weightMultiplier) / reference)))
}
