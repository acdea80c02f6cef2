import { cachedTool, findInstalled } from './cache.ts'
import { buildGoTool } from './go-tool.ts'

const version = '1.34.4'
const name = 'kube-apiserver'
const variable = 'ISTHMUS_KUBE_APISERVER'

const main = `package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
`

/**
 * The path of a Kubernetes API server: `ISTHMUS_KUBE_APISERVER`, else `kube-apiserver` on PATH, else one built from source once and
 * cached. Throws with what to install if it can neither be found nor built.
 */
export async function kubeApiserverPath(): Promise<string> {
  const installed = await findInstalled(name, variable)
  return installed ?? cachedTool({ name, version, work: 'building (first use, 3-6 minutes)', file: name, build })
}

function build(folder: string): Promise<void> {
  const oldestGo = [1, 24, 0] as const
  const module = 'k8s.io/kubernetes'
  const goMod = (original: string) => kubernetesModule(original, version)
  return buildGoTool({ name, variable, module, version, oldestGo, package: '.', goMod, main, probe: ['--version'] }, folder)
}

/**
 * A go.mod from which a program of Kubernetes builds outside its own tree: the staged modules, which Kubernetes' own file takes from
 * folders beside it (`k8s.io/X v0.0.0`), come from their published releases `v0.MINOR.PATCH` instead.
 */
export function kubernetesModule(original: string, release: string): string {
  const staged = [...original.matchAll(/^\s*(k8s\.io\/\S+) v0\.0\.0\s*(?:\/\/.*)?$/gm)].map(found => found[1] ?? '')
  const published = `v0.${release.split('.').slice(1).join('.')}`
  const lines = [...new Set(staged)].map(each => `replace ${each} => ${each} ${published}`)
  const go = /^go \S+$/m.exec(original)?.[0] ?? 'go 1.24.0'
  return ['module isthmus.test/kube-apiserver', '', go, '', `require k8s.io/kubernetes v${release}`, '', ...lines, ''].join('\n')
}
