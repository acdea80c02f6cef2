/**
 * Long work that may be cut: a generator that yields wherever it may rest, and returns its result. Pure code yields; whoever runs it decides
 * whether and how long it rests, so that a large configuration never holds up the changes of endpoints.
 */
export type Steps<T> = Generator<undefined, T, undefined>

/** Does all of it at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
