import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { ConnectCa } from './connect-ca.ts'
import { consulSource } from './consul-source.ts'
import { consulSchema, type ConsulSettings } from './settings.ts'

/** Services of one Consul datacenter, by blocking queries. */
export const consulPlugin: SourcePlugin<ConsulSettings> = {
  type: 'consul',
  schema: consulSchema,
  create: (settings, given) => {
    const ca = new ConnectCa(given.name, settings)
    return {
      source: consulSource(settings, given, ca),
      ...(ca.service === undefined ? {} : { secrets: ca }),
      // A blocking query ends after its wait and up to a sixteenth more.
      maxQuietSeconds: (settings.watches?.waitSeconds ?? 300) * (1 + 1 / 16) + 30,
    }
  },
}
