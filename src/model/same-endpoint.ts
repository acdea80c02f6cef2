import type { Endpoint } from './endpoint.ts'
import { sameMesh } from './mesh.ts'

/** Whether two endpoints say the same. Identity is the common answer: sources keep the objects that did not change. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a === b ||
    (a.address === b.address &&
      a.port === b.port &&
      a.portName === b.portName &&
      a.servicePort === b.servicePort &&
      a.protocol === b.protocol &&
      a.weight === b.weight &&
      a.id === b.id &&
      a.health === b.health &&
      a.presence === b.presence &&
      a.locality.region === b.locality.region &&
      a.locality.zone === b.locality.zone &&
      a.locality.subzone === b.locality.subzone &&
      sameList(a.additionalAddresses, b.additionalAddresses, (x, y) => x === y) &&
      sameList(a.tags, b.tags, (x, y) => x === y) &&
      sameList(a.reasons, b.reasons, (x, y) => x.code === y.code && x.text === y.text) &&
      sameMeta(a.meta, b.meta) &&
      sameChecks(a.checks, b.checks) &&
      sameMesh(a.mesh, b.mesh))
  )
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => same(item, b[index] as T)))
}

function sameMeta(a: Endpoint['meta'], b: Endpoint['meta']): boolean {
  if (a === b) return true
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key])
}

function sameChecks(a: Endpoint['checks'], b: Endpoint['checks']): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined || a.policy !== b.policy) return false
  return sameList(
    a.list,
    b.list,
    (x, y) => x.CheckID === y.CheckID && x.Status === y.Status && x.ServiceID === y.ServiceID && x.Name === y.Name,
  )
}
