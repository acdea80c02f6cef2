import { Type } from '../../src/model/type.ts'
import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { dnsSource, namedKey, type NamedService } from './dns-source.ts'

/** Keys of `{ type: dns }` in isthmus.yaml. */
export interface DnsSettings {
  readonly names: Readonly<Record<string, string>>
  readonly servers?: readonly string[]
  readonly minTtlSeconds?: number
  readonly maxTtlSeconds?: number
  readonly timeoutSeconds?: number
}

const usual = { minTtlSeconds: 5, maxTtlSeconds: 300, timeoutSeconds: 3 }
const seconds = (description: string) => Type.Optional(Type.Number({ minimum: 0.1, maximum: 86_400, description }))

const schema = Type.Object(
  {
    names: Type.Record(Type.String(), Type.String({ pattern: '^([^:\\s]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$' }), {
      description: 'SERVICE or NAMESPACE/SERVICE: HOST:PORT',
    }),
    servers: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: "IP or IP:PORT of the name servers to ask (the system's, and its hosts file)",
      }),
    ),
    minTtlSeconds: seconds(`records that change faster are asked for no oftener (${usual.minTtlSeconds})`),
    maxTtlSeconds: seconds(`records that hold for longer are asked for this often all the same (${usual.maxTtlSeconds})`),
    timeoutSeconds: seconds(`longest wait for one answer (${usual.timeoutSeconds})`),
  },
  { additionalProperties: false },
)

/** The DNS source: services behind names, see README.md. */
export const dnsPlugin: SourcePlugin<DnsSettings> = {
  type: 'dns',
  schema,
  create(settings, given) {
    const { names, servers = [], minTtlSeconds, maxTtlSeconds, timeoutSeconds } = { ...usual, ...settings }
    const all = Object.entries(names).map(([service, at]) => named(service, at, given))
    return {
      source: dnsSource(
        { names: all, servers, minTtlSeconds, maxTtlSeconds, timeoutMs: timeoutSeconds * 1000, otherTtlSeconds: maxTtlSeconds / 10 },
        given,
      ),
      maxQuietSeconds: maxTtlSeconds * 2 + 60,
    }
  },
}

function named(service: string, at: string, { name, namespace }: { readonly name: string; readonly namespace: string }): NamedService {
  const colon = at.lastIndexOf(':')
  const port = Number(at.slice(colon + 1))
  if (!(port >= 1 && port <= 65_535))
    throw new IsthmusError('settings-invalid', `source ${name}: names.${service}: port ${at.slice(colon + 1)} is none of 1 to 65535`)
  return { service: namedKey(service, namespace), host: at.slice(0, colon).replace(/^\[|\]$/g, ''), port }
}
