import type { AssignmentSpec } from '../ir/assignment.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { PoolView } from '../table/reader.ts'
import { selectEndpoints } from '../xds/generate/select-endpoints.ts'
import { type Resource, tentatively } from '../xds/resource.ts'

/** Whether an assignment may lack what some source has not told yet. `isEmpty` says whether it has no endpoint at all. */
export type IsTentative = (spec: AssignmentSpec, isEmpty: () => boolean) => boolean

/** Makes assignments, and remembers which of them are tentative, to make those again when the sources have told more. */
export class Assignments {
  readonly #generate: (spec: AssignmentSpec, pool: PoolView | undefined) => Resource
  readonly #isTentative: IsTentative
  readonly #tentative = new Map<string, AssignmentSpec>()

  constructor(generate: (spec: AssignmentSpec, pool: PoolView | undefined) => Resource, isTentative: IsTentative = () => false) {
    this.#generate = generate
    this.#isTentative = isTentative
  }

  make(spec: AssignmentSpec, pool: PoolView | undefined): Resource {
    const made = this.#generate(spec, pool)
    if (this.#isTentative(spec, () => selectEndpoints(pool, spec).length === 0)) {
      this.#tentative.set(spec.name, spec)
      return tentatively(made)
    }
    if (this.#tentative.size > 0) this.#tentative.delete(spec.name)
    return made
  }

  /** Nobody needs it any more. */
  drop(name: string): void {
    this.#tentative.delete(name)
  }

  /** Those that were tentative, made again. */
  again(poolOf: (service: ServiceKey) => PoolView | undefined): readonly Resource[] {
    return [...this.#tentative.values()].map(spec => this.make(spec, poolOf(spec.service)))
  }
}
