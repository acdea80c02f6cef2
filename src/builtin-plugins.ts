import { consulPlugin } from '../plugins/consul/index.ts'
import { dnsPlugin } from '../plugins/dns/index.ts'
import { filePlugin } from '../plugins/file/index.ts'
import { kubernetesPlugin } from '../plugins/kubernetes/index.ts'
import { vmPlugin } from '../plugins/vm/index.ts'
import type { SourcePlugin } from './discovery/contract.ts'

/** The source types that come with Isthmus: an explicit list, and the only file of src that imports plugins. */
export const builtinPlugins = [consulPlugin, dnsPlugin, filePlugin, kubernetesPlugin, vmPlugin] as readonly SourcePlugin[]
