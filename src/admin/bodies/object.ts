import type { ObjectStatus } from '../../manifests/status.ts'
import type { ObjectBody } from '../schemas.ts'

/** An object of the configuration as the API shows it. */
export function objectBodyOf(status: ObjectStatus): ObjectBody {
  const { kind, namespace, name, at } = status.ref
  return {
    kind,
    namespace,
    name,
    at,
    apiVersion: status.apiVersion,
    state: status.state,
    problems: status.problems.map(problem => ({ ...problem })),
    notices: [...status.notices],
    rejections: [...(status.rejections ?? [])],
    lastGood: status.lastGood,
  }
}
