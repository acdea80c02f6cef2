import { cachedTool, findInstalled } from './cache.ts'
import { buildGoTool } from './go-tool.ts'

const version = '3.6.5'
const module = 'go.etcd.io/etcd/server/v3'
const name = 'etcd'
const variable = 'ISTHMUS_ETCD'

const main = `package main

import (
	"os"

	"${module}/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
`

/**
 * The path of an etcd: `ISTHMUS_ETCD`, else `etcd` on PATH, else one built from source once and cached.
 * Throws with what to install if it can neither be found nor built.
 */
export async function etcdPath(): Promise<string> {
  const installed = await findInstalled(name, variable)
  return installed ?? cachedTool({ name, version, work: 'building (first use, about a minute)', file: name, build })
}

function build(folder: string): Promise<void> {
  const oldestGo = [1, 24, 0] as const
  const goMod = (original: string) =>
    `module isthmus.test/etcd\n\n${/^go \S+$/m.exec(original)?.[0] ?? 'go 1.24.0'}\n\nrequire ${module} v${version}\n`
  return buildGoTool({ name, variable, module, version, oldestGo, package: '.', goMod, main, probe: ['--version'] }, folder)
}
