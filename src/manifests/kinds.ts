import type { TSchema } from 'typebox'
import { hostSchema } from './schema/host.ts'
import { ingressClassSchema, ingressSchema } from './schema/ingress.ts'
import { listenerSchema } from './schema/listener.ts'
import { mappingSchema } from './schema/mapping.ts'
import { authServiceSchema, logServiceSchema, rateLimitServiceSchema, tracingServiceSchema } from './schema/services.ts'
import { moduleSchema } from './schema/module.ts'
import { consulResolverSchema, kubernetesResolverSchema } from './schema/resolvers.ts'
import { tcpMappingSchema } from './schema/tcp-mapping.ts'
import { secretSchema, tlsContextSchema } from './schema/tls.ts'
import { servicePoolSchema } from './schema/service-pool.ts'

/** The API version of the route configuration we read (emissary-resources.md 0). */
export const emissaryApi = 'getambassador.io/v3alpha1'
/** The API version of objects of our own. */
const ownApi = 'isthmus.dev/v1alpha1'

/** Kinds that are built, with the schema of their spec. */
export const servedSchemas = {
  Listener: listenerSchema,
  Host: hostSchema,
  Mapping: mappingSchema,
  Module: moduleSchema,
  ConsulResolver: consulResolverSchema,
  KubernetesServiceResolver: kubernetesResolverSchema,
  KubernetesEndpointResolver: kubernetesResolverSchema,
  TCPMapping: tcpMappingSchema,
  TLSContext: tlsContextSchema,
  Secret: secretSchema,
  AuthService: authServiceSchema,
  RateLimitService: rateLimitServiceSchema,
  LogService: logServiceSchema,
  TracingService: tracingServiceSchema,
  Ingress: ingressSchema,
  IngressClass: ingressClassSchema,
  ServicePool: servicePoolSchema,
} as const satisfies Record<string, TSchema>

export type ServedKind = keyof typeof servedSchemas

/** Kubernetes' own API of routes. */
const networkingApi = 'networking.k8s.io/v1'

/** The API version that a served kind is read of. */
export function apiOf(kind: ServedKind): string {
  if (kind === 'ServicePool') return ownApi
  if (kind === 'Secret') return 'v1'
  return kind === 'Ingress' || kind === 'IngressClass' ? networkingApi : emissaryApi
}

/** Kinds of the API that are accepted and have no effect, and why. */
export const inertKinds: Readonly<Record<string, string>> = {
  DevPortal: 'DevPortal has no effect: the developer portal is a program of its own, which Isthmus does not have',
}

/** All kinds that are read where objects are kept by kind; Secrets are read one by one. */
export const readKinds: readonly { readonly apiVersion: string; readonly kind: string }[] = [
  ...Object.keys(servedSchemas)
    .filter(isServedKind)
    .map(kind => ({ apiVersion: apiOf(kind), kind }))
    .filter(({ apiVersion }) => apiVersion !== 'v1'),
  ...Object.keys(inertKinds).map(kind => ({ apiVersion: emissaryApi, kind })),
]

/** Kinds of our own. */
export const ownKinds: readonly string[] = ['ServicePool']

export function isServedKind(kind: string): kind is ServedKind {
  return Object.hasOwn(servedSchemas, kind)
}

/** JSON Schema of a whole object of the kind, for editors (`isthmus schema KIND`); undefined for a kind without a schema. Case does not count. */
export function kindSchema(kind: string): Record<string, unknown> | undefined {
  const found = schemaKinds.find(name => name.toLowerCase() === kind.toLowerCase())
  if (found === undefined || !isServedKind(found)) return undefined
  const names = { type: 'object', additionalProperties: { type: 'string' } }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: found,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    additionalProperties: false,
    properties: {
      apiVersion: { const: apiOf(found) },
      kind: { const: found },
      metadata: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, namespace: { type: 'string' }, labels: names, annotations: names },
      },
      spec: servedSchemas[found],
      status: { type: 'object' },
    },
  }
}

/** Names that `kindSchema` knows: a Secret has no spec, Kubernetes' own schema says what it is. */
export const schemaKinds: readonly string[] = Object.keys(servedSchemas).filter(kind => kind !== 'Secret')
