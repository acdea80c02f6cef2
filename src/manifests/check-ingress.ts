import { checkHostname, checkPlainText } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import { ingressOptions, stripPathAnnotation } from './ingress-options.ts'
import type { Manifest } from './object.ts'
import type { IngressBackend, IngressSpec } from './schema/ingress.ts'

/** Controllers whose IngressClasses are ours: Emissary's, so that its Ingresses go on working, and our own. */
const controllers = ['getambassador.io/ingress-controller', 'isthmus.dev/ingress-controller']

/** The rules of an Ingress that concern it alone. */
export function checkIngress(spec: IngressSpec, manifest: Manifest): KindFindings {
  const { problems, notices } = ingressOptions(manifest.annotations)
  const rules = (spec.rules ?? []).flatMap((rule, index) => {
    const path = ['spec', 'rules', index]
    return [
      ...checkHost([...path, 'host'], rule.host),
      ...(rule.http?.paths ?? []).flatMap((one, number) => checkPath([...path, 'http', 'paths', number], one)),
    ]
  })
  const tls = (spec.tls ?? []).flatMap(({ hosts = [] }, index) =>
    hosts.flatMap((host, number) => checkHost(['spec', 'tls', index, 'hosts', number], host)),
  )
  const backend = spec.defaultBackend === undefined ? [] : checkBackend(['spec', 'defaultBackend'], spec.defaultBackend)
  const empty = spec.defaultBackend === undefined && (spec.rules ?? []).every(rule => (rule.http?.paths ?? []).length === 0)
  return {
    problems: [...problems, ...rules, ...tls, ...backend, ...checkStripPath(manifest)],
    notices: [...notices, ...(empty ? ['has neither a path nor a defaultBackend: no request reaches it'] : [])],
  }
}

/** The rules of an IngressClass that concern it alone. One of another controller is none of our business. */
export function checkIngressClass(spec: { readonly controller?: string; readonly parameters?: object }, manifest: Manifest): KindFindings {
  const found = {
    problems: checkStripPath(manifest),
    notices: spec.parameters === undefined ? [] : ['spec.parameters has no effect'],
  }
  if (spec.controller !== undefined && controllers.includes(spec.controller)) return found
  return { ...found, notServed: `is of the controller ${spec.controller ?? '(none)'}; ours are ${controllers.join(', ')}` }
}

type PathRule = NonNullable<NonNullable<NonNullable<IngressSpec['rules']>[number]['http']>['paths']>[number]

function checkPath(at: FieldPath, { path, pathType, backend }: PathRule): readonly Finding[] {
  const findings = [...checkPlainText([...at, 'path'], path), ...checkBackend([...at, 'backend'], backend)]
  if (path === undefined || path === '')
    return pathType === 'ImplementationSpecific' ? findings : [...findings, { path: [...at, 'path'], text: `is required with ${pathType}` }]
  return path.startsWith('/') ? findings : [...findings, { path: [...at, 'path'], text: `must start with "/", got "${path}"` }]
}

function checkBackend(at: FieldPath, { service, resource }: IngressBackend): readonly Finding[] {
  if (resource !== undefined) return [{ path: [...at, 'resource'], text: 'resource backends are not served; name a service' }]
  if (service === undefined) return [{ path: [...at, 'service'], text: 'is required: the service that gets the requests' }]
  const { port } = service
  const both = port?.number !== undefined && port.name !== undefined
  const neither = port?.number === undefined && port?.name === undefined
  return both || neither ? [{ path: [...at, 'service', 'port'], text: 'needs number or name, one of the two' }] : []
}

/** A name, or one wildcard label in front: the Ingress specification knows no other glob. */
function checkHost(at: FieldPath, host: string | undefined): readonly Finding[] {
  if (host === undefined || host === '') return []
  if (host === '*' || host.endsWith('.*')) return [{ path: at, text: `"${host}": only the first label may be "*", as in *.example.com` }]
  return checkHostname(at, host)
}

function checkStripPath({ annotations }: Manifest): readonly Finding[] {
  const value = annotations[stripPathAnnotation]
  if (value === undefined || value === 'true' || value === 'false') return []
  return [{ path: ['metadata', 'annotations', stripPathAnnotation], text: `must be "true" or "false", got "${value}"` }]
}
