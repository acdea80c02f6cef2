import { Type } from '../../src/model/type.ts'

/** Keys of `{ type: dns }` in isthmus.yaml. */
export interface DnsSettings {
  readonly names: Readonly<Record<string, string>>
  readonly servers?: readonly string[]
  readonly minTtlSeconds?: number
  readonly maxTtlSeconds?: number
  readonly timeoutSeconds?: number
}

/** What is left out. */
export const usual = { minTtlSeconds: 5, maxTtlSeconds: 300, timeoutSeconds: 3 }
const seconds = (description: string) => Type.Optional(Type.Number({ minimum: 0.1, maximum: 86_400, description }))

export const dnsSchema = Type.Object(
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
