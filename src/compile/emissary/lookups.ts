import { isDeepStrictEqual } from 'node:util'
import type { ServiceKey } from '../../model/service-key.ts'
import type { CompileInput, KnownServices } from './input.ts'

/** Something that was asked, and the answer. */
export type Answer =
  | { readonly of: 'service'; readonly name: ServiceKey; readonly answer: boolean }
  | { readonly of: 'namespace'; readonly name: string; readonly answer: boolean }
  | { readonly of: 'file'; readonly name: string; readonly answer: FileText | undefined }

type FileText = ReturnType<NonNullable<CompileInput['readFile']>>

/**
 * Asks what is known outside of the objects, and remembers the answers: the caller compiles again when a service or namespace that was asked
 * for in vain becomes known, and what was made of the same answers as now need not be made again.
 */
export class Lookups implements KnownServices {
  readonly #given: Pick<CompileInput, 'known' | 'readFile'>
  readonly #ownNamespaces: ReadonlySet<string>
  #declared: { has(service: ServiceKey): boolean } = new Set<ServiceKey>()
  readonly #services = new Set<ServiceKey>()
  readonly #namespaces = new Set<string>()
  readonly #record: Answer[] | undefined

  /**
   * @param ownNamespaces namespaces that objects of the configuration stand in: known whatever the sources say
   * @param record takes every answer
   */
  constructor(given: Pick<CompileInput, 'known' | 'readFile'>, ownNamespaces: ReadonlySet<string>, record?: Answer[]) {
    this.#given = given
    this.#ownNamespaces = ownNamespaces
    this.#record = record
  }

  /** Services that were asked for and are not known. */
  get services(): ReadonlySet<ServiceKey> {
    return this.#services
  }

  /** Namespaces that were asked for and are not known. */
  get namespaces(): ReadonlySet<string> {
    return this.#namespaces
  }

  /** Services that objects of the configuration make, whatever the sources say. */
  declare(services: { has(service: ServiceKey): boolean }): void {
    this.#declared = services
  }

  has(service: ServiceKey): boolean {
    const answer = this.#hasService(service)
    this.#remember({ of: 'service', name: service, answer })
    return answer
  }

  hasNamespace(namespace: string): boolean {
    const answer = this.#hasNamespace(namespace)
    this.#remember({ of: 'namespace', name: namespace, answer })
    return answer
  }

  /** A small file of this machine, or what is wrong with it; undefined offline. */
  readFile(path: string): FileText | undefined {
    const answer = this.#given.readFile?.(path)
    this.#remember({ of: 'file', name: path, answer })
    return answer
  }

  /** The same with a memory of its own; `record` takes every answer. */
  apart(record: Answer[]): Lookups {
    const apart = new Lookups(this.#given, this.#ownNamespaces, record)
    apart.declare(this.#declared)
    return apart
  }

  /** Whether everything would be answered as it was. */
  agrees(answers: readonly Answer[]): boolean {
    return answers.every(({ of, name, answer }) => {
      if (of === 'service') return this.#hasService(name) === answer
      return of === 'namespace' ? this.#hasNamespace(name) === answer : isDeepStrictEqual(this.#given.readFile?.(name), answer)
    })
  }

  /** Takes over what was asked apart. */
  include(answers: readonly Answer[]): void {
    for (const { of, name, answer } of answers) {
      if (of === 'service' && !answer) this.#services.add(name)
      if (of === 'namespace' && !answer) this.#namespaces.add(name)
    }
  }

  #hasService(service: ServiceKey): boolean {
    return this.#declared.has(service) || this.#given.known.has(service)
  }

  #hasNamespace(namespace: string): boolean {
    return this.#ownNamespaces.has(namespace) || this.#given.known.hasNamespace(namespace)
  }

  #remember(answer: Answer): void {
    this.#record?.push(answer)
    this.include([answer])
  }
}
