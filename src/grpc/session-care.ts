import type { ServerHttp2Session } from 'node:http2'

/** How long connections live, ms. */
export interface SessionLimits {
  /** A connection is pinged so often, and cut if the ping is unanswered for so long: a peer may vanish without a word. */
  readonly keepalive: { readonly timeMs: number; readonly timeoutMs: number }
  /** At about this age (10 % more or less) a connection is told to go away, and cut after the grace time. */
  readonly age?: { readonly ms: number; readonly graceMs: number }
}

/** What is done to every connection while it lives. Its timers are of the real clock, and end with it. */
export function careFor(session: ServerHttp2Session, { keepalive, age }: SessionLimits, random: () => number): void {
  let timer: NodeJS.Timeout | undefined
  const ping = (): void => {
    // It may be cut, and not say so yet.
    if (session.destroyed) return
    timer = setTimeout(() => session.destroy(), keepalive.timeoutMs).unref()
    session.ping(error => {
      clearTimeout(timer)
      if (error === null) later()
    })
  }
  const later = (): void => {
    timer = setTimeout(ping, keepalive.timeMs).unref()
  }
  later()
  const aging =
    age === undefined
      ? undefined
      : setTimeout(
          () => {
            session.close()
            setTimeout(() => session.destroy(), age.graceMs).unref()
          },
          age.ms * (0.9 + 0.2 * random()),
        ).unref()
  session.once('close', () => {
    clearTimeout(timer)
    clearTimeout(aging)
  })
}
