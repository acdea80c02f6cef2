import { didYouMean } from '../model/nearest.ts'
import { durationMs } from './check-values.ts'

/** Fields of Envoy's OutlierDetection, by kind of value (emissary-resources.md 1.2: a JSON object with Envoy's field names). */
const fields: Readonly<Record<string, 'count' | 'percent' | 'duration' | 'switch'>> = {
  consecutive_5xx: 'count',
  interval: 'duration',
  base_ejection_time: 'duration',
  max_ejection_time: 'duration',
  max_ejection_time_jitter: 'duration',
  max_ejection_percent: 'percent',
  enforcing_consecutive_5xx: 'percent',
  enforcing_success_rate: 'percent',
  success_rate_minimum_hosts: 'count',
  success_rate_request_volume: 'count',
  success_rate_stdev_factor: 'count',
  consecutive_gateway_failure: 'count',
  enforcing_consecutive_gateway_failure: 'percent',
  split_external_local_origin_errors: 'switch',
  consecutive_local_origin_failure: 'count',
  enforcing_consecutive_local_origin_failure: 'percent',
  enforcing_local_origin_success_rate: 'percent',
  failure_percentage_threshold: 'percent',
  enforcing_failure_percentage: 'percent',
  enforcing_failure_percentage_local_origin: 'percent',
  failure_percentage_minimum_hosts: 'count',
  failure_percentage_request_volume: 'count',
}

/** Reads `outlier_detection`: values by Envoy's field names, times in ms; or a sentence on what is wrong. */
export function readOutlierDetection(text: string): Readonly<Record<string, number | boolean>> | string {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return 'must be a JSON object with the field names of OutlierDetection in Envoy, such as {"consecutive_5xx": 5}'
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'must be a JSON object, such as {"consecutive_5xx": 5}'
  const read: Record<string, number | boolean> = {}
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (kind === undefined) {
      const hint = didYouMean(name, Object.keys(fields))
      return `has the unknown field "${name}"${hint === '' ? '' : `; ${hint}`}`
    }
    const one = readValue(kind, value)
    if (one === undefined) return `${name} must be ${wanted[kind]}, got ${JSON.stringify(value)}`
    read[name] = one
  }
  const { base_ejection_time: base, max_ejection_time: most } = read
  if (typeof base === 'number' && typeof most === 'number' && base > most) return 'max_ejection_time must not be below base_ejection_time'
  return read
}

const wanted = {
  count: 'a whole number of at least 0',
  percent: 'a percentage from 0 to 100',
  duration: 'a duration such as "30s"',
  switch: 'true or false',
} as const

const longestMs = 365 * 24 * 3_600_000

function readValue(kind: keyof typeof wanted, value: unknown): number | boolean | undefined {
  if (kind === 'switch') return typeof value === 'boolean' ? value : undefined
  if (kind === 'duration') {
    const ms = typeof value === 'string' && /^[0-9]+(\.[0-9]+)?(ms|s|m|h)$/.test(value) ? durationMs(value) : 0
    return ms >= 1 && ms <= longestMs ? ms : undefined
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 4_294_967_295) return undefined
  return kind === 'percent' && value > 100 ? undefined : value
}
