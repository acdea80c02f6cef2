import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TSchema } from 'typebox'
import { stringify } from 'yaml'
import { apiOf, emissaryApi, isServedKind, inertKinds, ownKinds, servedSchemas } from '../../src/manifests/kinds.ts'
import { repository } from './repository.ts'
import { structural, type Structural } from './structural-schema.ts'

/**
 * Writes deploy/kubernetes/crds-*.yaml from the schemas that validation uses; `--check` only says whether the files are those.
 * Our kinds of getambassador.io have one version, v3alpha1: older ones need a conversion webhook (emissary-resources.md 0).
 */
interface Column {
  readonly name: string
  readonly jsonPath: string
  readonly type?: 'string' | 'integer' | 'date'
  readonly priority?: number
}

const text = { type: 'string' }
const time = { type: 'string', format: 'date-time' }
const columns: Readonly<Record<string, readonly Column[]>> = {
  Mapping: [spec('Hostname', 'hostname'), spec('Prefix', 'prefix'), spec('Service', 'service'), status('State', 'state')],
  TCPMapping: [spec('Port', 'port', 'integer'), spec('Host', 'host'), spec('Service', 'service')],
  Host: [spec('Hostname', 'hostname'), spec('Secret', 'tlsSecret.name'), status('State', 'state')],
  Listener: [
    spec('Port', 'port', 'integer'),
    spec('Protocol', 'protocol'),
    spec('Stack', 'protocolStack'),
    spec('Security', 'securityModel'),
  ],
  TLSContext: [spec('Hosts', 'hosts'), spec('Secret', 'secret')],
  AuthService: [spec('Service', 'auth_service'), spec('Protocol', 'proto')],
  RateLimitService: [spec('Service', 'service'), spec('Domain', 'domain')],
  LogService: [spec('Service', 'service'), spec('Driver', 'driver')],
  TracingService: [spec('Service', 'service'), spec('Driver', 'driver')],
  ConsulResolver: [spec('Address', 'address'), spec('Datacenter', 'datacenter')],
  ServicePool: [spec('Mode', 'mode'), spec('Members', 'members[*].name')],
}
const shortNames: Readonly<Record<string, string>> = {
  Mapping: 'amap',
  TCPMapping: 'atcp',
  Host: 'ahost',
  Listener: 'alisten',
  TLSContext: 'atls',
  ServicePool: 'spool',
}

/** What this gateway writes, and the fields that Emissary's own CRDs have for objects that were written before. */
const statusFields: Readonly<Record<string, Structural>> = {
  Mapping: { state: text, reason: text },
  Host: {
    state: text,
    errorReason: text,
    errorTimestamp: time,
    errorBackoff: text,
    phaseCompleted: text,
    phasePending: text,
    tlsCertificateSource: text,
  },
}

const conditions: Structural = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: text,
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: text,
      message: { type: 'string', maxLength: 32_768 },
      lastTransitionTime: time,
      observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
    },
  },
}

function spec(name: string, field: string, type: Column['type'] = 'string'): Column {
  return { name, jsonPath: `.spec.${field}`, type }
}

function status(name: string, field: string): Column {
  return { name, jsonPath: `.status.${field}`, type: 'string' }
}

/** The CustomResourceDefinition of a kind. A kind that is not built takes any spec, so that its objects can be kept and reported. */
function definition(kind: string, api: string): Structural {
  const [group = '', version] = api.split('/')
  const plural = `${kind.toLowerCase()}s`
  const shape = isServedKind(kind)
    ? structural(servedSchemas[kind] as TSchema)
    : { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const short = shortNames[kind]
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { 'app.kubernetes.io/part-of': 'isthmus' } },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(short === undefined ? {} : { shortNames: [short] }),
        categories: group === 'isthmus.dev' ? ['isthmus'] : ['ambassador-crds', 'isthmus'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: `${kind} of ${api}, as Isthmus reads it`,
              properties: {
                apiVersion: text,
                kind: text,
                metadata: { type: 'object' },
                spec: shape,
                status: { type: 'object', properties: { ...statusFields[kind], conditions } },
              },
            },
          },
          subresources: { status: {} },
          additionalPrinterColumns: [
            ...(columns[kind] ?? []),
            { name: 'Accepted', type: 'string', jsonPath: '.status.conditions[?(@.type=="Accepted")].status' },
            { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Accepted")].message', priority: 1 },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  }
}

/** File name and text of each file. */
function files(): ReadonlyMap<string, string> {
  const served = Object.keys(servedSchemas).filter(isServedKind)

  const emissary = [...served.filter(kind => apiOf(kind) === emissaryApi), ...Object.keys(inertKinds)].sort()
  const own = ownKinds.filter(isServedKind)
  return new Map([
    ['crds-getambassador.yaml', documents(emissary.map(kind => definition(kind, emissaryApi)))],
    ['crds-isthmus.yaml', documents(own.map(kind => definition(kind, apiOf(kind))))],
  ])
}

function documents(definitions: readonly Structural[]): string {
  const head = '# Made by `npm run crds` from src/manifests/schema: do not edit.\n'
  return head + definitions.map(one => `---\n${stringify(one, { lineWidth: 0, aliasDuplicateObjects: false })}`).join('')
}

const check = process.argv.includes('--check')
for (const [name, content] of files()) {
  const file = join(repository, 'deploy/kubernetes', name)
  if (!check) writeFileSync(file, content)
  else if (readFileSync(file, 'utf8') !== content) {
    console.error(`deploy/kubernetes/${name} differs from the schemas: run npm run crds`)
    process.exitCode = 1
  }
}
