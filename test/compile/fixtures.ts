import assert from 'node:assert/strict'
import { compile } from '../../src/compile/emissary/compile.ts'
import { CompileMemo } from '../../src/compile/emissary/compile-memo.ts'
import type { CompileInput, CompileResult } from '../../src/compile/emissary/input.ts'
import type { IrRoute, RouteTable } from '../../src/ir/route-table.ts'
import { parseManifests } from '../../src/manifests/parse.ts'
import { ManifestStore } from '../../src/manifests/store.ts'
import { serviceKey } from '../../src/model/service-key.ts'

export type Given = Partial<Omit<CompileInput, 'objects' | 'hostsDeclared'>>

/** Some Listener and Host, so that a test needs to write only its Mappings. */
export const listener = object(
  'Listener',
  'http',
  '{port: 8080, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}',
)
export const host = object('Host', 'any', '{hostname: "*", requestPolicy: {insecure: {action: Route}}}')

/** One document. `place` is `name`, `namespace/name`, with ` key=value` labels behind it. */
export function object(kind: string, place: string, spec: string): string {
  const [path = '', ...labels] = place.split(' ')
  const [namespace, name] = path.includes('/') ? path.split('/') : ['default', path]
  const labelText = labels.map(label => label.replace('=', ': "')).join('", ')
  const api = kind === 'ServicePool' ? 'isthmus.dev/v1alpha1' : 'getambassador.io/v3alpha1'
  return `apiVersion: ${api}\nkind: ${kind}\nmetadata: {name: ${name ?? ''}, namespace: ${namespace ?? ''}, labels: {${labelText}${labels.length > 0 ? '"' : ''}}}\nspec: ${spec}\n`
}

export function mapping(place: string, spec: string): string {
  return object('Mapping', place, `{${spec}}`)
}

/** A store with its compile round, as compose has it. */
export class Round {
  readonly store = new ManifestStore(['default'])
  readonly run = this.store.begin('files')
  readonly #given: Given
  readonly #memo = new CompileMemo()

  constructor(given: Given = {}) {
    this.#given = given
  }

  /** Replaces all objects, compiles, settles. */
  apply(...documents: readonly string[]): CompileResult {
    const { objects, problems } = parseManifests(documents.join('---\n'), { file: 'm.yaml', namespace: 'default' })
    this.run.emit([{ id: 'm.yaml', objects, problems, keep: problems.length > 0 }])
    return this.compile()
  }

  compile(): CompileResult {
    const stored = this.store.objects()
    const input: CompileInput = {
      known: { has: () => false, hasNamespace: () => false },
      consulSources: [],
      ...this.#given,
      objects: stored,
      hostsDeclared: this.store.hostsDeclared,
    }
    const result = compile(input, this.#memo)
    assertSame(result, compile(input))
    this.store.settle(stored, result)
    return result
  }

  /** `accepted`, or `refused: path: text`, with `+lastGood`. */
  status(kind: string, name: string): string {
    const found = this.store.statuses().find(status => status.ref.kind === kind && status.ref.name === name)
    if (found === undefined) return 'absent'
    const reasons = found.problems.map(problem => ` ${problem.path}: ${problem.text}`).join(';')
    return `${found.state}${found.lastGood ? '+lastGood' : ''}${reasons}`
  }

  notices(kind: string, name: string): readonly string[] {
    return this.store.statuses().find(status => status.ref.kind === kind && status.ref.name === name)?.notices ?? []
  }
}

/** What was remembered changes nothing. */
export function assertSame(incremental: CompileResult, fromScratch: CompileResult): void {
  const { grpc: _one, ...one } = incremental
  const { grpc: _other, ...other } = fromScratch
  assert.deepEqual(one, other)
}

/** Compiles documents once. */
export function compiled(documents: readonly string[], given: Given = {}): CompileResult {
  return new Round(given).apply(...documents)
}

/** Routes of a virtual host (of the first route configuration), as short lines. */
export function routeLines(table: RouteTable, domain = '*', config = 0): readonly string[] {
  const routes = table.routeConfigs[config]?.virtualHosts.find(one => one.domains.includes(domain))?.routes
  return routes?.map(routeLine) ?? ['(no virtual host)']
}

function routeLine({ match, action }: IrRoute): string {
  const sign = { prefix: '', segments: '/', exact: '=', regex: '~' }[match.path.kind]
  const conditions = [
    ...match.headers.map(one => `${one.name}${one.invert === true ? '!' : ''}${one.kind === 'exact' ? '=' : '~'}${one.value}`),
    ...match.query.map(one => `?${one.name}${one.kind === 'exact' ? '=' : '~'}${one.value}`),
    ...(match.percent === undefined ? [] : [`${match.percent}%${match.percentOf === 100 ? '' : ` of ${match.percentOf ?? 0}`}`]),
  ]
  return [sign + match.path.value, ...conditions, '->', action.kind === 'forward' ? action.cluster : action.kind].join(' ')
}

/** Services that sources know; their namespaces are known too. */
export function knows(...keys: readonly (readonly [string, string])[]): NonNullable<Given['known']> {
  const known = new Set(keys.map(([namespace, name]) => serviceKey(namespace, name)))
  return { has: key => known.has(key), hasNamespace: namespace => keys.some(([one]) => one === namespace) }
}
