import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { Static, TSchema } from 'typebox'
import { Type } from '../../src/model/type.ts'
import type { SourceGiven } from '../../src/discovery/contract.ts'
import type { Locality } from '../../src/model/endpoint.ts'
import { errorText } from '../../src/model/errors.ts'
import { healths } from '../../src/model/health.ts'
import { Interner } from '../../src/model/intern.ts'
import { didYouMean } from '../../src/model/nearest.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import type { RegisteredPort, RegisteredService } from './lease.ts'
import { sharedLocality } from './locality.ts'
import { type FieldError, RequestFault } from './problem.ts'

const closed = { additionalProperties: false }
const name = Type.String({ minLength: 1, maxLength: 253, pattern: '^[^/\\s]+$' })
const health = Type.Enum([...healths])
const place = Type.Optional(Type.String({ maxLength: 253, pattern: '^[^/\\s]*$' }))
const epoch = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const reason = Type.Optional(Type.String({ maxLength: 500 }))

const port = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 253 })),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    protocol: Type.Optional(Type.Enum(['tcp', 'udp'])),
  },
  closed,
)

const service = Type.Object(
  {
    name,
    namespace: Type.Optional(name),
    address: Type.String({ minLength: 1, maxLength: 253 }),
    ports: Type.Array(port, { minItems: 1, maxItems: 64 }),
    weight: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    tags: Type.Optional(Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 256 })),
    meta: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 253 }), Type.String({ maxLength: 4096 }), { maxProperties: 256 }),
    ),
    health: Type.Optional(health),
  },
  closed,
)

// The items of `services` are checked one by one: a body of a thousand faults then gives a few errors, not a thousand.
const registration = Type.Object(
  {
    services: Type.Array(Type.Unknown(), { maxItems: 20_000 }),
    ttlSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9 })),
    zone: place,
    region: place,
  },
  closed,
)

const renewal = Type.Object(
  {
    epoch,
    sequence: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    health: Type.Optional(Type.Union([health, Type.Record(Type.String(), health)])),
  },
  closed,
)

const ending = Type.Object({ epoch: Type.Optional(epoch), reason }, closed)

/** Most faults that one answer lists. */
const mostFaults = 20

const ajv = new Ajv({ strict: true, allErrors: false, verbose: true })
const check = <Schema extends TSchema>(schema: Schema): ValidateFunction<Static<Schema>> => ajv.compile<Static<Schema>>(schema)
const isRegistration = check(registration)
const isService = check(service)
const isRenewal = check(renewal)
const isEnding = check(ending)

/** A body of `PUT /v1/registrations/{agentId}`. */
export interface RegistrationBody {
  readonly services: readonly RegisteredService[]
  readonly ttlSeconds: number | undefined
}

/** A body of `POST …/renew`. Health by service key, or one for all. */
export interface RenewalBody {
  readonly epoch: number
  readonly sequence: number | undefined
  readonly health: Static<typeof health> | ReadonlyMap<ServiceKey, Static<typeof health>> | undefined
}

/** A body of `POST …/drain` or `DELETE`. */
export type EndingBody = Static<typeof ending>

type Given = Pick<SourceGiven, 'namespace' | 'admitAddress'>

const noTags: readonly string[] = []
const noMeta: Readonly<Record<string, string>> = Object.freeze({})
const singlePorts = new Interner<readonly RegisteredPort[]>(10_000)

/** Checks a registration. Throws a `RequestFault` that lists every fault, up to 20; nothing of a bad registration is taken. */
export function readRegistration(body: unknown, given: Given): RegistrationBody {
  if (!isRegistration(body)) throw fault([describe(isRegistration.errors, '')])
  const errors: FieldError[] = []
  const locality = sharedLocality(body.region, body.zone)
  const services: RegisteredService[] = []
  const places = new Map<ServiceKey, number>()
  for (const [index, item] of body.services.entries()) {
    const pointer = `/services/${index}`
    if (isService(item)) {
      const read = readService(item, { pointer, locality, given, errors })
      const before = places.get(read.key)
      if (before !== undefined) {
        errors.push({ pointer, detail: `repeats service ${read.key} of /services/${before}: list its ports in one item` })
      }
      places.set(read.key, index)
      services.push(read)
    } else errors.push(describe(isService.errors, pointer))
    if (errors.length >= mostFaults) break
  }
  if (errors.length > 0) throw fault(errors)
  return { services, ttlSeconds: body.ttlSeconds }
}

interface Reading {
  readonly pointer: string
  readonly locality: Locality | undefined
  readonly given: Given
  readonly errors: FieldError[]
}

function readService(item: Static<typeof service>, { pointer, locality, given, errors }: Reading): RegisteredService {
  const ports = readPorts(item.ports)
  for (const [index, one] of ports.entries()) {
    const twin = ports.findIndex(other => other.name === one.name || (other.port === one.port && other.protocol === one.protocol))
    if (twin < index) {
      const what =
        ports[twin]?.name === one.name ? (one.name === '' ? 'a second port without a name' : `name ${one.name}`) : `port ${one.port}`
      errors.push({
        pointer: `${pointer}/ports/${index}`,
        detail: `repeats ${what}: the ports of a service need names and numbers of their own`,
      })
    }
  }
  let address = item.address
  try {
    address = given.admitAddress(item.address)
  } catch (error) {
    errors.push({ pointer: `${pointer}/address`, detail: errorText(error) })
  }
  return {
    key: serviceKey(item.namespace ?? given.namespace, item.name),
    address,
    ports,
    weight: item.weight ?? 100,
    tags: item.tags ?? noTags,
    meta: item.meta ?? noMeta,
    health: item.health ?? 'healthy',
    ...(locality === undefined ? {} : { locality }),
  }
}

/** Most services have one port, and it is the same on every machine: they share it. */
function readPorts(given: Static<typeof service>['ports']): readonly RegisteredPort[] {
  const ports = given.map(one => ({ name: one.name ?? '', port: one.port, protocol: one.protocol ?? ('tcp' as const) }))
  const [only] = ports
  return ports.length === 1 && only !== undefined ? singlePorts.get(`${only.port}/${only.protocol}/${only.name}`, () => ports) : ports
}

/** Checks a renewal. Throws a `RequestFault`. Names without a namespace belong to the source's own. */
export function readRenewal(body: unknown, given: Pick<SourceGiven, 'namespace'>): RenewalBody {
  if (!isRenewal(body)) throw fault([describe(isRenewal.errors, '')])
  const { epoch, sequence, health } = body
  if (health === undefined || typeof health === 'string') return { epoch, sequence, health }
  const byKey = Object.entries(health).map(([name, value]) => {
    const key = name.includes('/') ? (name as ServiceKey) : serviceKey(given.namespace, name)
    return [key, value] as const
  })
  return { epoch, sequence, health: new Map(byKey) }
}

/** Checks the body, if any, of a drain or deregistration. Throws a `RequestFault`. */
export function readEnding(body: unknown): EndingBody {
  if (body === undefined) return {}
  if (!isEnding(body)) throw fault([describe(isEnding.errors, '')])
  return body
}

function fault(errors: readonly FieldError[]): RequestFault {
  return new RequestFault('the body is not as it must be, nothing of it was taken', errors)
}

function describe(errors: ErrorObject[] | null | undefined, base: string): FieldError {
  const error = errors?.[0]
  if (error === undefined) return { pointer: base, detail: 'is malformed' }
  const pointer = base + error.instancePath
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty'])
      const known = Object.keys((error.parentSchema?.['properties'] ?? {}) as object)
      const hint = didYouMean(key, known)
      return {
        pointer: `${pointer}/${escaped(key)}`,
        detail: `is no known key${hint === '' ? '' : `: ${hint}`} (known: ${known.join(', ')})`,
      }
    }
    case 'required':
      return { pointer: `${pointer}/${String(params['missingProperty'])}`, detail: 'is missing' }
    case 'enum':
      return { pointer, detail: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}, not ${shown(error.data)}` }
    case 'pattern':
      return { pointer, detail: `must hold neither a slash nor white space, not ${shown(error.data)}` }
    default:
      return { pointer, detail: `${error.message ?? 'is malformed'}, not ${shown(error.data)}` }
  }
}

/** A key inside a JSON pointer (RFC 6901). */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  const text = typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
