import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseAllDocuments } from 'yaml'
import { IsthmusError } from '../../model/errors.ts'
import type { Children } from './children.ts'
import { freePorts } from './free-ports.ts'

/** Where the demo's programs are. */
export interface KubernetesPrograms {
  readonly etcd: string
  readonly apiserver: string
}

interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/**
 * A real Kubernetes API server of the demo's own, without nodes: the demo writes what kubelets would. Its "pod" is a process of this machine
 * on the machine's own address (one pod, as no two pods of a Service have the same address), because the API server refuses loopback addresses as endpoints, and addresses of their own would need a
 * network namespace that neither curl nor a browser reaches.
 */
export class DemoKubernetes {
  readonly kubeconfig: string
  /** Where pods listen. */
  readonly address: string
  readonly #url: string
  readonly #folder: string

  private constructor(url: string, folder: string, address: string) {
    this.#url = url
    this.#folder = folder
    this.address = address
    this.kubeconfig = join(folder, 'kubeconfig')
  }

  /** Starts etcd and the API server and waits, at most 60 s. Throws `tool-missing` with the last words of what did not start. */
  static async start(children: Children, programs: KubernetesPrograms, parent: string): Promise<DemoKubernetes> {
    const address = ownAddress()
    const folder = join(parent, 'kubernetes')
    await mkdir(join(folder, 'certs'), { recursive: true })
    const [port = 0, client = 0, peer = 0] = await freePorts(3)
    const kubernetes = new DemoKubernetes(`https://127.0.0.1:${String(port)}`, folder, address)
    const key = join(folder, 'service-account.key')
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    await Promise.all([
      writeFile(key, privateKey, { mode: 0o600 }),
      writeFile(join(folder, 'tokens.csv'), 'demo-token,demo,demo,"system:masters"\n', { mode: 0o600 }),
      writeFile(kubernetes.kubeconfig, kubernetes.#kubeconfigText(), { mode: 0o600 }),
    ])
    const etcd = `http://127.0.0.1:${String(client)}`
    await children.start(
      'etcd',
      programs.etcd,
      flags({
        'data-dir': join(folder, 'etcd'),
        'listen-client-urls': etcd,
        'advertise-client-urls': etcd,
        'listen-peer-urls': `http://127.0.0.1:${String(peer)}`,
        'unsafe-no-fsync': 'true',
      }),
    )
    await children.start(
      'kube-apiserver',
      programs.apiserver,
      flags({
        'etcd-servers': etcd,
        'secure-port': String(port),
        'bind-address': '127.0.0.1',
        'advertise-address': '127.0.0.1',
        'cert-dir': join(folder, 'certs'),
        'service-account-key-file': key,
        'service-account-signing-key-file': key,
        'service-account-issuer': 'https://kubernetes.default.svc',
        'token-auth-file': join(folder, 'tokens.csv'),
        'authorization-mode': 'RBAC',
        'service-cluster-ip-range': '10.96.0.0/16',
        'disable-admission-plugins': 'ServiceAccount',
        'endpoint-reconciler-type': 'none',
      }),
    )
    await patiently(
      () => kubernetes.#call('GET', '/readyz'),
      60_000,
      () => `demo: the Kubernetes API server did not start:\n${children.words('etcd')}\n${children.words('kube-apiserver')}`,
    )
    return kubernetes
  }

  /** Creates or replaces objects of YAML text, as `kubectl apply --server-side` does; waits for kinds that were installed just now. */
  async apply(yaml: string): Promise<void> {
    for (const document of parseAllDocuments(yaml)) {
      const object = document.toJS() as KubeObject | null
      if (object === null) continue
      const apply = (): Promise<void> => this.#call('PATCH', `${pathOf(object)}?fieldManager=demo&force=true`, object)
      await patiently(apply, 20_000, error => `demo: ${object.kind} ${object.metadata.name} cannot be applied: ${String(error)}`)
    }
  }

  async #call(method: string, path: string, body?: object): Promise<void> {
    const ca = await readFile(join(this.#folder, 'certs', 'apiserver.crt'))
    const headers = { authorization: 'Bearer demo-token', 'content-type': 'application/apply-patch+yaml' }
    const call = request(this.#url + path, { method, ca, headers, timeout: 5000 })
    call.once('timeout', () => call.destroy(new Error('no answer within 5 s')))
    call.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const answer = await text(response)
    if ((response.statusCode ?? 0) > 299) throw new Error(`${String(response.statusCode)} ${answer}`)
  }

  #kubeconfigText(): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'demo',
      contexts: [{ name: 'demo', context: { cluster: 'demo', user: 'demo' } }],
      clusters: [{ name: 'demo', cluster: { server: this.#url, 'certificate-authority': join(this.#folder, 'certs', 'apiserver.crt') } }],
      users: [{ name: 'demo', user: { token: 'demo-token' } }],
    })
  }
}

/** A Service `hello` with one slice per pod, as a controller would write them. */
export function helloService(address: string, ports: ReadonlyMap<string, number>): string {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'hello', namespace: 'default' } }
  const spec = { clusterIP: 'None', selector: { app: 'hello' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] }
  const slices = [...ports].map(([pod, port]) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `hello-${pod}`, namespace: 'default', labels: { 'kubernetes.io/service-name': 'hello' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true }, targetRef: { kind: 'Pod', name: pod, namespace: 'default' } }],
  }))
  return [{ ...service, spec }, ...slices].map(object => JSON.stringify(object)).join('\n---\n')
}

/** The first address of this machine that is not loopback. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap(one => one ?? [])
  const found = all.find(one => !one.internal && one.family === 'IPv4' && !one.address.startsWith('169.254.'))
  if (found !== undefined) return found.address
  throw new IsthmusError(
    'tool-missing',
    'demo: this machine has no IPv4 address but loopback, which Kubernetes refuses for endpoints: run without --kubernetes',
  )
}

function pathOf({ apiVersion, kind, metadata }: KubeObject): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `${base}${scope}/${kind.toLowerCase()}s/${metadata.name}`
}

function flags(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`)
}

/** Tries until it succeeds. Throws `tool-missing` with the words when it has not within the time. */
async function patiently(work: () => Promise<void>, ms: number, words: (error: unknown) => string): Promise<void> {
  const deadline = performance.now() + ms
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (performance.now() > deadline) throw new IsthmusError('tool-missing', words(error), { cause: error })
      await sleep(100)
    }
  }
}
