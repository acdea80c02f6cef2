import { cachedTool, findInstalled } from './cache.ts'
import { buildGoTool } from './go-tool.ts'
import { kubernetesModule } from './kube-apiserver.ts'

const version = '1.34.4'
const name = 'kubectl'
const variable = 'ISTHMUS_KUBECTL'

/**
 * The path of kubectl: `ISTHMUS_KUBECTL`, else `kubectl` on PATH, else one built from source once and cached. Throws with what to install if
 * it can neither be found nor built.
 */
export async function kubectlPath(): Promise<string> {
  const installed = await findInstalled(name, variable)
  return installed ?? cachedTool({ name, version, work: 'building (first use, 1-3 minutes)', file: name, build })
}

function build(folder: string): Promise<void> {
  const oldestGo = [1, 24, 0] as const
  const module = 'k8s.io/kubernetes'
  const goMod = (original: string) => kubernetesModule(original, version)
  const tool = { name, variable, module, version, oldestGo, package: 'k8s.io/kubernetes/cmd/kubectl', goMod }
  return buildGoTool({ ...tool, probe: ['version', '--client'] }, folder)
}
