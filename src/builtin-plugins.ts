import { consulSchema } from '../plugins/consul/settings.ts'
import { dnsSchema } from '../plugins/dns/settings.ts'
import { fileSchema } from '../plugins/file/settings.ts'
import { kubernetesSchema } from '../plugins/kubernetes/settings.ts'
import { vmSchema } from '../plugins/vm/settings.ts'
import type { KnownPlugins, SourcePlugin } from './discovery/contract.ts'

/** Its settings were checked by its schema. */
const checked = (plugin: object): SourcePlugin => plugin as SourcePlugin

/** The source types that come with Isthmus: an explicit list, and the only file of src that imports plugins. */
export const builtinPlugins: KnownPlugins = [
  { type: 'consul', schema: consulSchema, load: async () => checked((await import('../plugins/consul/index.ts')).consulPlugin) },
  { type: 'dns', schema: dnsSchema, load: async () => checked((await import('../plugins/dns/index.ts')).dnsPlugin) },
  { type: 'file', schema: fileSchema, load: async () => checked((await import('../plugins/file/index.ts')).filePlugin) },
  {
    type: 'kubernetes',
    schema: kubernetesSchema,
    load: async () => checked((await import('../plugins/kubernetes/index.ts')).kubernetesPlugin),
  },
  { type: 'vm', schema: vmSchema, isSingle: true, load: async () => checked((await import('../plugins/vm/index.ts')).vmPlugin) },
]
