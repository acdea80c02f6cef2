import { Worker } from 'node:worker_threads'
import { errorText, IsthmusError } from '../model/errors.ts'

/** Names of the methods of a store. */
type Methods<Store> = { [Name in keyof Store]: Store[Name] extends (...args: never[]) => unknown ? Name : never }[keyof Store] & string
type Arguments<Method> = Method extends (...args: infer Args) => unknown ? Args : never
type Result<Method> = Method extends (...args: never[]) => infer Answer ? Answer : never

/**
 * A store that lives in another thread: calls a method there, in order with all other calls of this gateway. What goes over is copied
 * (structured clone): long text is cheap, many small objects are not. Rejects with what the method threw, or with `state-unusable` when the
 * thread ended before it answered: whether the call had its effect is then unknown.
 */
export type Remote<Store> = <Name extends Methods<Store>>(name: Name, ...args: Arguments<Store[Name]>) => Promise<Result<Store[Name]>>

/** A part of the state as its thread is told of it. */
export interface ThreadPart {
  readonly name: string
  /** File of its database, or `:memory:`. */
  readonly path: string
  /** What its store is made with; plain data. */
  readonly options: unknown
}

/** To the thread: do this. Without a part: close everything and end. */
export type ThreadRequest =
  | { readonly id: number; readonly part: string; readonly name: string; readonly args: readonly unknown[] }
  | { readonly isEnd: true }

/** From the thread: the answer to a call, or what happened to a database. */
export type ThreadAnswer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: { readonly text: string } }
  | { readonly damagedPart: string; readonly text: string }

export interface StateThreadGiven {
  /** The module that the thread runs: calls `serveState`. */
  readonly entry: URL
  readonly onDamage: (part: string, text: string) => void
  /** Is told why the thread ended unasked, and with undefined that a new one answers. */
  readonly onDeath: (reason: string | undefined) => void
  /** Makes the thread; default: a Worker. */
  readonly spawn?: (entry: URL, parts: readonly ThreadPart[]) => Worker
}

interface Call {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: IsthmusError) => void
}

/** The longest wait for what is being written when everything ends, ms. */
const endMs = 10_000

/**
 * The one thread that owns the databases which are written all the time: transactions, sorting and a slow disk are its business and hold up
 * no change of an endpoint. It begins with the first call. When it dies, calls in flight are rejected, it is told, and the next call begins
 * a new one: who writes keeps what was not confirmed.
 */
export class StateThread {
  readonly #given: StateThreadGiven
  readonly #parts: ThreadPart[] = []
  readonly #calls = new Map<number, Call>()
  #worker: Worker | undefined
  #next = 1
  #isDead = false
  #isEnded = false

  constructor(given: StateThreadGiven) {
    this.#given = given
  }

  /** Before the first call of any part. */
  part<Store>(part: ThreadPart): Remote<Store> {
    this.#parts.push(part)
    return ((name: string, ...args: readonly unknown[]) => this.#call(part.name, name, args)) as Remote<Store>
  }

  /** Ends the thread after everything that was asked of it, at most 10 s later. */
  async end(): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    const worker = this.#worker
    if (worker === undefined) return
    worker.ref()
    const exited = new Promise<void>(resolve => worker.once('exit', () => resolve()))
    worker.postMessage({ isEnd: true } satisfies ThreadRequest)
    const timer = setTimeout(() => void worker.terminate(), endMs)
    await exited
    clearTimeout(timer)
  }

  #call(part: string, name: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isEnded) throw new IsthmusError('state-unusable', `${part}: the gateway is stopping`)
      const worker = (this.#worker ??= this.#begin())
      const id = this.#next++
      worker.postMessage({ id, part, name, args } satisfies ThreadRequest)
      this.#calls.set(id, { resolve, reject })
      // The process lives until it is answered, and no longer.
      worker.ref()
    })
  }

  #begin(): Worker {
    const { entry, spawn = spawnWorker } = this.#given
    const worker = spawn(entry, this.#parts)
    let reason: string | undefined
    worker.on('message', (answer: ThreadAnswer) => this.#take(answer))
    worker.on('error', error => (reason = errorText(error)))
    worker.on('exit', code => {
      this.#worker = undefined
      if (this.#isEnded && this.#calls.size === 0) return
      const text = `the thread that keeps the state ended: ${reason ?? `exit code ${String(code)}`}`
      this.#isDead = true
      this.#given.onDeath(text)
      const calls = [...this.#calls.values()]
      this.#calls.clear()
      for (const { reject } of calls) reject(new IsthmusError('state-unusable', text))
    })
    worker.unref()
    return worker
  }

  #take(answer: ThreadAnswer): void {
    if ('damagedPart' in answer) {
      this.#given.onDamage(answer.damagedPart, answer.text)
      return
    }
    if (this.#isDead) {
      this.#isDead = false
      this.#given.onDeath(undefined)
    }
    const call = this.#calls.get(answer.id)
    this.#calls.delete(answer.id)
    if (this.#calls.size === 0 && !this.#isEnded) this.#worker?.unref()
    if ('answer' in answer) call?.resolve(answer.answer)
    else call?.reject(new IsthmusError('state-unusable', answer.error.text))
  }
}

function spawnWorker(entry: URL, parts: readonly ThreadPart[]): Worker {
  return new Worker(entry, { workerData: parts, name: 'isthmus-state' })
}
