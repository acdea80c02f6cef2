import { resolve } from 'node:path'
import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { defaultPollSeconds, defaultSettleMs, fileSchema, type FileSettings } from './settings.ts'
import { fileSource } from './watch.ts'

/** The file source: a list of services and endpoints in YAML, see README.md. */
export const filePlugin: SourcePlugin<FileSettings> = {
  type: 'file',
  schema: fileSchema,
  create({ path, pollSeconds = defaultPollSeconds, settleMilliseconds = defaultSettleMs }, given) {
    const pollMs = pollSeconds * 1000
    return {
      source: fileSource({ path: resolve(path), pollMs, settleMs: settleMilliseconds }, given),
      maxQuietSeconds: pollSeconds * 3 + 10,
    }
  },
}
