import { once } from 'node:events'
import { setStage, type Stage, type StageOptions } from './stage.ts'
import { type Answers, ask, moveInstance, untilAllAnswer } from './walk.ts'

export interface DemoOptions extends StageOptions {
  /** Show everything once and end, instead of staying up. */
  readonly once: boolean
}

const instances = ['consul-1', 'consul-2', 'vm-1', 'vm-2'] as const
const registries: Readonly<Record<string, string>> = { consul: 'Consul', vm: 'VM agent', pod: 'Kubernetes' }

/** Runs the demo; prints with `print`, ends on `signal`. Gives the exit code: 0 when all was seen, 1 otherwise. */
export async function runDemo(options: DemoOptions, print: (line: string) => void, signal: AbortSignal): Promise<number> {
  const stage = await setStage(options, line => print(`  ${line} …`))
  try {
    const code = await show(stage, print)
    if (options.once || code !== 0) return code
    invite(stage, print)
    if (!signal.aborted) await once(signal, 'abort')
    print('stopping')
    return 0
  } finally {
    await stage.stop()
  }
}

async function show(stage: Stage, print: (line: string) => void): Promise<number> {
  const url = `http://127.0.0.1:${String(stage.ports.http)}/hello/`
  const silent = await untilAllAnswer(stage, [...instances, ...stage.pods])
  if (silent.length > 0) {
    print(`no answer through Envoy from ${silent.join(', ')} within 30 s`)
    return 1
  }
  const before = await ask(stage, 40)
  print(`\nOne service, "hello", from ${stage.pods.length > 0 ? 'three' : 'two'} registries. 40 requests to ${url}:`)
  printAnswers(before, print)

  const home = await registeredPort(stage)
  const move = await moveInstance(stage, home)
  const moved = await untilAllAnswer(stage, ['consul-1 (moved)'])
  if (moved.length > 0) {
    print('the moved instance never answered')
    return 1
  }
  await stage.stopSample('consul-1')
  const after = await ask(stage, 40)
  print(
    `\nInstance consul-1 moved from port ${String(move.from)} to ${String(move.to)}: registered in Consul, in Envoy ${move.toEnvoyMs.toFixed(1)} ms later.`,
  )
  print('40 requests more, its old process stopped meanwhile:')
  printAnswers(after, print)
  const failed = before.failed + after.failed
  print(`\n${failed === 0 ? 'No request failed.' : `${String(failed)} requests failed.`}`)
  return failed === 0 ? 0 : 1
}

/** The port under which consul-1 is registered now, as the gateway's own API tells. */
async function registeredPort(stage: Stage): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${String(stage.ports.admin)}/api/v1/services/default/hello/endpoints`)
  const body = (await response.json()) as { items: { id: string; port: number }[] }
  const found = body.items.find(endpoint => endpoint.id.endsWith('/consul-1'))
  if (found === undefined) throw new Error('the gateway does not know consul-1')
  return found.port
}

function printAnswers(answers: Answers, print: (line: string) => void): void {
  for (const [instance, count] of [...answers.byInstance].sort()) {
    const registry = registries[instance.split('-')[0] ?? ''] ?? ''
    print(`  ${instance.padEnd(18)} ${registry.padEnd(10)} ${String(count).padStart(3)}  ${'▪'.repeat(count)}`)
  }
}

function invite(stage: Stage, print: (line: string) => void): void {
  const { ports, consul, folder, kubernetes } = stage
  const admin = `http://127.0.0.1:${String(ports.admin)}`
  print(`
Everything stays up until Ctrl-C.
  service          curl http://127.0.0.1:${String(ports.http)}/hello/
  admin API        ${admin}/api/v1/docs
  Consul           ${consul.url}/ui
  Envoy            http://127.0.0.1:${String(ports.envoyAdmin)}/clusters
  settings         ${folder}/isthmus.yaml, manifests in ${folder}/manifests: edit and see${
    kubernetes === undefined
      ? ''
      : `
  Kubernetes       export KUBECONFIG=${kubernetes.kubeconfig}; kubectl get mappings,hosts,listeners,endpointslices`
  }

Try in another terminal:
  export ISTHMUS_ADMIN=${admin}
  npx isthmus endpoints hello
  npx isthmus why hello 127.0.0.1:PORT
  npx isthmus proxies
  curl -X PUT "${consul.url}/v1/agent/service/maintenance/consul-2?enable=true"     then: npx isthmus endpoints hello`)
}
