import { cachedTool, findInstalled } from './cache.ts'
import { buildGoTool } from './go-tool.ts'

const version = '1.22.7'
// Consul's go.mod asks for an API module that lacks symbols its own sources use; this is the first one that has them, and it sets the Go.
const apiVersion = '1.34.5'

/**
 * The path of a Consul executable: `ISTHMUS_CONSUL`, else `consul` on PATH, else one built from source once and cached.
 * Throws with what to install if it can neither be found nor built.
 */
export async function consulPath(): Promise<string> {
  const installed = await findInstalled('consul', 'ISTHMUS_CONSUL')
  return installed ?? cachedTool({ name: 'consul', version, work: 'building (first use, 2-5 minutes)', file: 'consul', build })
}

function build(folder: string): Promise<void> {
  const module = 'github.com/hashicorp/consul'
  const oldestGo = [1, 26, 7] as const
  return buildGoTool(
    { name: 'consul', variable: 'ISTHMUS_CONSUL', module, version, oldestGo, package: module, goMod: consulModule, probe: ['version'] },
    folder,
  )
}

/** A go.mod from which Consul builds outside its own tree: Consul's, without the replacements by local folders. */
export function consulModule(original: string): string {
  const blocks = original
    .replace(/^module .*$/m, 'module isthmus.test/consul')
    .replace(/^replace \([^)]*\)\n/m, '')
    .replace(/^(\s*github\.com\/hashicorp\/consul\/api) v\S+/m, `$1 v${apiVersion}`)
  return `${blocks}\nrequire github.com/hashicorp/consul v${version}\n`
}
