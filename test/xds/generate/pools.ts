import type { AssignmentSpec } from '../../../src/ir/assignment.ts'
import { type Endpoint, makeEndpoint } from '../../../src/model/endpoint.ts'
import { serviceKey } from '../../../src/model/service-key.ts'
import { mergePool } from '../../../src/table/merge.ts'
import type { PoolView } from '../../../src/table/reader.ts'
import { trustOrder } from '../../../src/table/trust.ts'

const web = serviceKey('shop', 'web')

/** An endpoint as a test writes it: `10.0.0.1:80`, an id of its own unless one is given. */
export function endpoint(at: string, change: Partial<Endpoint> = {}): Endpoint {
  const colon = at.lastIndexOf(':')
  return makeEndpoint({ address: at.slice(0, colon), port: Number(at.slice(colon + 1)), id: at, ...change })
}

/** The pool of `web`, merged from what sources say; a source is called by its type, or `type:name`. */
export function poolOf(sources: Readonly<Record<string, readonly Endpoint[]>>): PoolView {
  const changes = Object.entries(sources).map(([name, endpoints]) => ({
    source: name.split(':')[1] ?? name,
    sourceType: name.split(':')[0] ?? name,
    before: undefined,
    after: { id: 'web', service: web, endpoints },
  }))
  return mergePool(
    web,
    undefined,
    changes,
    changes.map(change => change.source).sort(),
    trustOrder([], () => false),
  )
}

/** A specification of all endpoints of `web` with the default port. */
export function specOf(change: Partial<AssignmentSpec> = {}): AssignmentSpec {
  return { name: 'web', service: web, port: { kind: 'default', tls: false }, members: { kind: 'all' }, ...change }
}
