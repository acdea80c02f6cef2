import type { IrMatch } from '../../ir/route-table.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'
import { ingressOptions } from '../../manifests/ingress-options.ts'
import type { IngressBackend } from '../../manifests/schema/ingress.ts'
import type { FieldPath } from '../../manifests/field-path.ts'

type Ingress = Checked<'Ingress'>
type MappingSpec = Checked<'Mapping'>['spec']

/** A Mapping made of one path of an Ingress. */
export interface IngressMapping {
  readonly mapping: Checked<'Mapping'>
  /** How its path is matched, where a Mapping has no words for it. */
  readonly path?: IrMatch['path'] | undefined
}

const everyHost = '*'

/**
 * The Mappings of an Ingress, one per path (emissary-resources.md 8). Exact goes before all prefixes; `Prefix` matches by path segments, as the
 * Ingress specification says; a `*.` host is one label. Its paths are passed on as they are.
 * @param strip cut the matched path off, as Emissary does
 */
export function ingressMappings(ingress: Ingress, strip: boolean): readonly IngressMapping[] {
  const { spec } = ingress
  const { options } = ingressOptions(ingress.manifest.annotations)
  const common = { ...(strip ? {} : { rewrite: '' }), ...options }
  const mappings: IngressMapping[] = []
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    for (const [number, path] of (rule.http?.paths ?? []).entries()) {
      const at = ['spec', 'rules', index, 'http', 'paths', number]
      const { prefix, own, match } = pathOf(path)
      const cut = strip && match !== undefined && options.rewrite === undefined ? cutOff(match.value) : {}
      mappings.push(makeMapping(ingress, at, path.backend, { prefix, ...hostOf(rule.host), ...own, ...cut }, common, match))
    }
  }
  if (spec.defaultBackend !== undefined)
    mappings.push(makeMapping(ingress, ['spec', 'defaultBackend'], spec.defaultBackend, { prefix: '/', hostname: everyHost }, common))
  return mappings
}

type PathRule = NonNullable<NonNullable<NonNullable<Ingress['spec']['rules']>[number]['http']>['paths']>[number]

function pathOf({ path = '/', pathType }: PathRule): {
  readonly prefix: string
  readonly own: Partial<MappingSpec>
  readonly match?: IrMatch['path']
} {
  if (pathType === 'Exact') return { prefix: path, own: { prefix_exact: true, precedence: 1 } }
  // /a/ means the same as /a: both match /a, /a/ and /a/b.
  const segments = path.replace(/\/+$/, '')
  if (pathType === 'ImplementationSpecific' || segments === '') return { prefix: path === '' ? '/' : path, own: {} }
  return { prefix: segments, own: {}, match: { kind: 'segments', value: segments, caseSensitive: true } }
}

/** Of /a/ and /a alike: /a/b goes on as /b, as in Emissary that of /a/ does. */
function cutOff(segments: string): Pick<MappingSpec, 'regex_rewrite'> {
  return { regex_rewrite: { pattern: `^${segments.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')}/*`, substitution: '/' } }
}

/** Of `*.example.com` the wildcard stands for exactly one label, which a domain of Envoy's cannot say. */
function hostOf(host: string | undefined): Pick<MappingSpec, 'hostname' | 'regex_headers'> {
  if (host === undefined || host === '') return { hostname: everyHost }
  if (!host.startsWith('*.')) return { hostname: host.toLowerCase() }
  return { hostname: host, regex_headers: { ':authority': `[^.]+${host.slice(1).replaceAll('.', '\\.')}(:[0-9]+)?` } }
}

function makeMapping(
  ingress: Ingress,
  at: FieldPath,
  backend: IngressBackend,
  own: Partial<MappingSpec> & Pick<MappingSpec, 'prefix'>,
  common: Partial<MappingSpec>,
  path?: IrMatch['path'],
): IngressMapping {
  const { manifest } = ingress
  const port = backend.service?.port
  const service = `${backend.service?.name ?? ''}.${manifest.namespace}:${String(port?.number ?? port?.name ?? '')}`
  const spec = { ...own, ...common, service }
  return { mapping: { kind: 'Mapping', manifest, spec, at }, ...(path === undefined ? {} : { path }) }
}

/**
 * The Hosts of an Ingress: each name with a TLS entry gets one, and each other one that no Host object takes; cleartext is routed.
 * @param covered whether a Host object takes an object's requests for that name: there its requestPolicy decides, and no Host is made here
 */
export function ingressHosts(
  ingress: Ingress,
  mappings: readonly IngressMapping[],
  covered: (hostname: string, by: Manifest) => boolean,
): readonly Checked<'Host'>[] {
  const { manifest, spec } = ingress
  const used = new Set(mappings.map(({ mapping }) => mapping.spec.hostname ?? everyHost))
  const made = new Map<string, Checked<'Host'>>()
  const add = (hostname: string, at: FieldPath, tls: Partial<Checked<'Host'>['spec']> = {}): void => {
    if (made.has(hostname)) return
    const policy = { hostname, requestPolicy: { insecure: { action: 'Route' as const } }, ...tls }
    made.set(hostname, { kind: 'Host', manifest, spec: policy, at })
  }
  for (const [index, { hosts = [], secretName }] of (spec.tls ?? []).entries()) {
    const at = ['spec', 'tls', index]
    const secret = secretName === undefined || secretName === '' ? {} : { tlsSecret: { name: secretName } }
    // Without hosts the certificate is for all that the rules name.
    for (const hostname of hosts.length > 0 ? hosts : used) add(hostname, at, secret)
  }
  for (const hostname of used) if (!covered(hostname, manifest)) add(hostname, ['spec', 'rules'])
  return [...made.values()]
}
