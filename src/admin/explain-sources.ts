import type { LeftOut, SourceStatus } from '../discovery/status.ts'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { SeenEndpoint } from '../table/ledger.ts'
import type { PoolEndpoint } from '../table/reader.ts'
import { rounded } from './bodies/endpoint.ts'
import type { AdminReaders } from './readers.ts'
import type { Explanation } from './schemas.ts'

type Step = Explanation['steps'][number]

/** What is wrong with a source, if anything: a dead source is the usual reason why something is missing. */
export function sourceSteps(status: SourceStatus): readonly Step[] {
  const data = { state: status.state, ageSeconds: rounded(status.ageSeconds), error: status.error ?? null }
  if (status.state === 'live' && status.error === undefined) return []
  const age = status.ageSeconds === undefined ? 'never read' : `last read ${Math.round(status.ageSeconds)} s ago`
  const error = status.error === undefined ? '' : `: ${status.error.text}`
  return [{ code: `source-${status.state}`, source: status.name, text: `${status.name} is ${status.state} (${age})${error}`, data }]
}

/** Which guard holds an endpoint, and until when: once for each source whose word on it is held. */
export function guardSteps(endpoint: PoolEndpoint, services: readonly ServiceKey[], readers: AdminReaders): readonly Step[] {
  const held = endpoint.evidence.filter(one => one.endpoint.reasons.some(({ code }) => code === 'held-by-guard')).map(one => one.source)
  const wall = readers.clock.wall()
  return readers.sources
    .statuses()
    .filter(status => held.includes(status.name))
    .flatMap(({ name, holds }) =>
      holds
        .filter(hold => services.includes(hold.service))
        .map(({ service, rule, endpoints, heldSeconds, confirmInSeconds, releaseInSeconds }): Step => {
          const read = `${name} is read again at ${timeIn(wall, confirmInSeconds)}`
          const until = `it is let go at ${timeIn(wall, releaseInSeconds)} at the latest`
          return {
            code: 'guard',
            source: name,
            text: `the ${rule} guard of ${name} holds ${String(endpoints)} of ${service}; ${read}, ${until}`,
            data: { service, rule, endpoints, heldSeconds, confirmInSeconds, releaseInSeconds },
          }
        }),
    )
}

/** What sources name at an address and the gateway does not take from them: for this service, or for whichever it may be. */
export function leftOutOf(
  services: readonly ServiceKey[],
  at: { readonly address: string; readonly port: number },
  { sources }: Pick<AdminReaders, 'sources'>,
): readonly LeftOut[] {
  return sources
    .leftOut(at.address)
    .filter(one => (one.service === undefined || services.includes(one.service)) && (one.port === undefined || one.port === at.port))
}

export function leftOutStep({ source, code, text }: LeftOut): Step {
  return { code, source, text, data: {} }
}

/** Since when reasons hold (wall clock ms), by code and text; `problem` where the ledger cannot tell. */
export interface Since {
  readonly of: (reason: { readonly code: string; readonly text: string }) => number | undefined
  readonly problem: string | undefined
}

/** Asks the ledger, without which the rest is explained all the same. */
export async function reasonsSince(
  { ledger }: Pick<AdminReaders, 'ledger'>,
  service: ServiceKey,
  place: Pick<SeenEndpoint, 'address' | 'port' | 'protocol'> | undefined,
): Promise<Since> {
  if (place === undefined) return { of: () => undefined, problem: undefined }
  try {
    const found = await ledger.reasonsSince(service, place)
    return { of: ({ code, text }) => found.find(one => one.code === code && one.text === text)?.at, problem: undefined }
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error
    return { of: () => undefined, problem: errorText(error) }
  }
}

/** A reason with the time since when it holds. */
export function reasonText(reason: { readonly code: string; readonly text: string }, since: Since): string {
  const at = since.of(reason)
  return at === undefined ? reason.text : `${reason.text}, since ${new Date(at).toISOString()}`
}

/** Whole seconds: the time left is measured anew with each question. */
function timeIn(wall: number, seconds: number): string {
  return new Date(Math.round(wall / 1000 + seconds) * 1000).toISOString().replace('.000', '')
}
