import { parseCertificates } from '../../../manifests/check-secret.ts'
import type { HiddenText } from '../../../model/hidden-text.ts'

/** From when until when a certificate counts, in ms of the wall clock. */
interface Validity {
  /** Whose it is: `CN=web.example`. */
  readonly subject: string
  readonly from: number
  readonly to: number
}

const dayMs = 86_400_000
/** Reading a certificate costs more than all else that a compilation does with it, and its text never changes. */
const known = new WeakMap<HiddenText, readonly Validity[]>()

/**
 * What is to be said at a moment about how long certificates count: not yet, not much longer (the last tenth of their time, 14 days at most: renewal
 * by a machine comes before), or no more.
 * @param pem one that `checkSecret` accepts
 * @param now ms of the wall clock
 */
export function validityNotes(pem: HiddenText, now: number): readonly string[] {
  return validities(pem).flatMap(({ subject, from, to }) => {
    if (now < from) return [`${subject} counts only from ${date(from)}: it is refused until then`]
    if (now >= to) return [`${subject} is over since ${date(to)}: it is refused; renew it`]
    return to - now < Math.min(14 * dayMs, (to - from) / 10) ? [`${subject} is over soon, at ${date(to)}; renew it`] : []
  })
}

function validities(pem: HiddenText): readonly Validity[] {
  let found = known.get(pem)
  if (found === undefined) {
    found = parseCertificates(pem.reveal()).map(({ subject, validFromDate, validToDate }) => ({
      subject: subject.replaceAll('\n', ', '),
      from: validFromDate.getTime(),
      to: validToDate.getTime(),
    }))
    known.set(pem, found)
  }
  return found
}

function date(ms: number): string {
  return new Date(ms).toISOString().replace('.000', '')
}
