/** `node test/tools/fetch.ts [envoy|consul|etcd|kube-apiserver|haproxy]` prints the path of the program, after fetching or building it if need be. */
import { consulPath } from './consul.ts'
import { envoyPath } from './envoy.ts'
import { etcdPath } from './etcd.ts'
import { haproxyPath, withoutHaproxy } from './haproxy.ts'
import { kubeApiserverPath } from './kube-apiserver.ts'

const tools: Readonly<Record<string, () => Promise<string | undefined>>> = {
  envoy: envoyPath,
  consul: consulPath,
  etcd: etcdPath,
  'kube-apiserver': kubeApiserverPath,
  haproxy: haproxyPath,
}
const names = process.argv.slice(2)
for (const name of names.length > 0 ? names : Object.keys(tools)) {
  const find = tools[name]
  if (find === undefined) throw new Error(`no such tool: ${name} (there are ${Object.keys(tools).join(', ')})`)
  process.stdout.write(`${(await find()) ?? withoutHaproxy}\n`)
}
