/** Calls back once, when everything that was expected has happened. Nothing more may be expected then. */
export class Ready {
  readonly #done: () => void
  #open = 0
  #over = false

  constructor(done: () => void) {
    this.#done = done
  }

  /** Expects one more thing; the function given back says, any number of times, that it happened. */
  expect(): () => void {
    let open = !this.#over
    if (open) this.#open++
    return () => {
      if (!open) return
      open = false
      this.#open--
      if (this.#open > 0) return
      this.#over = true
      this.#done()
    }
  }
}
