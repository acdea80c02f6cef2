import { Type } from '../../src/model/type.ts'

/** Keys of `{ type: file }` in isthmus.yaml. */
export interface FileSettings {
  readonly path: string
  readonly pollSeconds?: number
  readonly settleMilliseconds?: number
}

export const defaultPollSeconds = 5
export const defaultSettleMs = 25

export const fileSchema = Type.Object(
  {
    path: Type.String({ format: 'path', minLength: 1, description: 'YAML file of services and their endpoints, watched' }),
    pollSeconds: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 3600,
        description: `how often it is looked at even if the system tells of no change, as on network file systems (${defaultPollSeconds})`,
      }),
    ),
    settleMilliseconds: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 60_000,
        description: `a file written in place is read when it has not changed for this long; one renamed over it is read at once (${defaultSettleMs})`,
      }),
    ),
  },
  { additionalProperties: false },
)
