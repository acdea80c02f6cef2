import { resolve } from 'node:path'
import { Type } from '../../src/model/type.ts'
import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { fileSource } from './watch.ts'

/** Keys of `{ type: file }` in isthmus.yaml. */
export interface FileSettings {
  readonly path: string
  readonly pollSeconds?: number
  readonly settleMilliseconds?: number
}

const defaultPollSeconds = 5
const defaultSettleMs = 25

const schema = Type.Object(
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

/** The file source: a list of services and endpoints in YAML, see README.md. */
export const filePlugin: SourcePlugin<FileSettings> = {
  type: 'file',
  schema,
  create({ path, pollSeconds = defaultPollSeconds, settleMilliseconds = defaultSettleMs }, given) {
    const pollMs = pollSeconds * 1000
    return {
      source: fileSource({ path: resolve(path), pollMs, settleMs: settleMilliseconds }, given),
      maxQuietSeconds: pollSeconds * 3 + 10,
    }
  },
}
