import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { etcdPath } from './etcd.ts'
import { kubeApiserverPath } from './kube-apiserver.ts'
import { freePorts } from './local.ts'
import { type Child, startProcess } from './process.ts'

/** An object of the Kubernetes API as a test writes it. */
export interface KubeManifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string } & Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export interface KubeClusterOptions {
  /** Users beside `admin`: user name → its groups. The token of each is its name followed by `-token`. */
  readonly users?: Readonly<Record<string, readonly string[]>>
  /** Further flags of kube-apiserver; a later one wins over those given here. */
  readonly flags?: readonly string[]
  /** What says `ok` once it can be used; default `/readyz`. */
  readonly readyPath?: string
  /** Address the API server listens on; default 127.0.0.1. */
  readonly address?: string
}

export interface KubeconfigOptions {
  /** Default `admin`. */
  readonly user?: string
  /** Instead of the user's static token. */
  readonly token?: string
  /** A file with the token, instead of one in the kubeconfig. */
  readonly tokenFile?: string
  /** Any other field of `users[].user`, instead of a token. */
  readonly auth?: Readonly<Record<string, unknown>>
  /** Instead of the API server's own URL. */
  readonly server?: string
}

/** A real Kubernetes API server on an etcd of its own, without nodes and kubelets: what a test does not write does not happen. */
export interface KubeCluster {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string
  readonly port: number
  /** PEM file of the certificate it serves with. */
  readonly caFile: string
  /** Removed by stop(). */
  readonly folder: string
  /** Text of a kubeconfig (JSON, which is YAML). */
  kubeconfig(options?: KubeconfigOptions): string
  /** Writes such a kubeconfig into the cluster's folder and gives its path. */
  kubeconfigFile(options?: KubeconfigOptions): Promise<string>
  /** Any call, as admin. Gives the parsed answer; throws with the API server's message unless the status is 2xx. */
  request<T = KubeManifest>(method: string, path: string, body?: unknown, contentType?: string): Promise<T>
  /** Creates or replaces objects in order, by server-side apply with force. */
  apply(...objects: readonly KubeManifest[]): Promise<void>
  /** Deletes an object; one that does not exist is fine. */
  delete(object: Pick<KubeManifest, 'apiVersion' | 'kind' | 'metadata'>): Promise<void>
  /** The API path of an object. Throws if the API server has no such kind. */
  pathOf(object: Pick<KubeManifest, 'apiVersion' | 'kind' | 'metadata'>): Promise<string>
  /** A token of a service account, from the TokenRequest API; it dies with the account. */
  serviceAccountToken(namespace: string, name: string): Promise<string>
  /** Makes etcd forget every revision but the current one, so that watches from older ones get 410. */
  compact(): Promise<void>
  /** Ends the API server at once; etcd goes on. */
  kill(): Promise<void>
  /** Ends the API server, if it runs, and starts it again on the same port, with other further flags if they are given. Resolves when it is ready. */
  restart(flags?: readonly string[]): Promise<void>
  /** Freezes the API server (it keeps its sockets and answers nothing), or thaws it. */
  freeze(on: boolean): void
  /** Ends both and removes their files. */
  stop(): Promise<void>
  output(): string
}

/** How long a kind may take to be served. */
const kindServedMs = 10_000

/** Starts etcd and an API server with RBAC. Throws with their output if they are not ready within 60 s. */
export async function startKubeCluster(options: KubeClusterOptions = {}): Promise<KubeCluster> {
  const programs = { etcd: await etcdPath(), apiserver: await kubeApiserverPath() }
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-kube-'))
  const [port = 0, client = 0, peer = 0] = await freePorts(3)
  const cluster = new LocalCluster(programs, folder, { port, client, peer }, options)
  try {
    await cluster.start()
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}

interface ApiResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
}

class LocalCluster implements KubeCluster {
  readonly url: string
  readonly port: number
  readonly caFile: string
  readonly folder: string
  readonly #programs: { readonly etcd: string; readonly apiserver: string }
  readonly #ports: { readonly port: number; readonly client: number; readonly peer: number }
  readonly #options: KubeClusterOptions
  readonly #resources = new Map<string, readonly ApiResource[]>()
  #agent: Agent | undefined
  #etcd: Child | undefined
  #apiserver: Child | undefined

  constructor(
    programs: { readonly etcd: string; readonly apiserver: string },
    folder: string,
    ports: { readonly port: number; readonly client: number; readonly peer: number },
    options: KubeClusterOptions,
  ) {
    this.#programs = programs
    this.#ports = ports
    this.#options = options
    this.folder = folder
    this.port = ports.port
    this.url = `https://${options.address ?? '127.0.0.1'}:${ports.port}`
    this.caFile = join(folder, 'certs', 'apiserver.crt')
  }

  async start(): Promise<void> {
    const { users = {} } = this.#options
    await mkdir(join(this.folder, 'certs'))
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    })
    await writeFile(join(this.folder, 'service-account.key'), privateKey)
    const lines = Object.entries({ admin: ['system:masters'], ...users }).map(
      ([user, groups]) => `${user}-token,${user},${user},"${groups.join(',')}"`,
    )
    await writeFile(join(this.folder, 'tokens.csv'), `${lines.join('\n')}\n`)
    await this.#startEtcd()
    await this.restart()
  }

  kubeconfig(options: KubeconfigOptions = {}): string {
    const { user = 'admin', token = `${user}-token`, tokenFile, auth } = options
    const credentials = auth ?? (tokenFile === undefined ? { token } : { tokenFile })
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user } }],
      clusters: [{ name: 'test', cluster: { server: options.server ?? this.url, 'certificate-authority': this.caFile } }],
      users: [{ name: user, user: credentials }],
    })
  }

  async kubeconfigFile(options: KubeconfigOptions = {}): Promise<string> {
    const file = join(await mkdtemp(join(this.folder, 'kubeconfig-')), 'config')
    await writeFile(file, this.kubeconfig(options))
    return file
  }

  async request<T = KubeManifest>(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<T> {
    this.#agent ??= new Agent({ keepAlive: true, ca: await readFile(this.caFile) })
    const headers = { authorization: 'Bearer admin-token', ...(body === undefined ? {} : { 'content-type': contentType }) }
    const call = request(this.url + path, { method, agent: this.#agent, headers, timeout: 20_000 })
    call.once('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 20 s`)))
    call.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const answer = await text(response)
    const status = response.statusCode ?? 0
    if (status < 200 || status > 299) throw new Error(`Kubernetes: ${method} ${path}: ${status} ${answer}`)
    return (response.headers['content-type']?.startsWith('application/json') === true ? JSON.parse(answer) : answer) as T
  }

  async apply(...objects: readonly KubeManifest[]): Promise<void> {
    for (const object of objects) await this.#applyOne(object)
  }

  /** A kind is served a moment after its CustomResourceDefinition is established: until then it is unknown (404) or not ready (429). */
  async #applyOne(object: KubeManifest): Promise<void> {
    const deadline = performance.now() + kindServedMs
    for (;;) {
      try {
        const path = `${await this.pathOf(object)}?fieldManager=test&force=true`
        await this.request('PATCH', path, object, 'application/apply-patch+yaml')
        return
      } catch (error) {
        const isEarly = /: (404|429) |has no /.test(String(error))
        if (!isEarly || performance.now() > deadline) throw error
        await sleep(50)
      }
    }
  }

  async delete(object: Pick<KubeManifest, 'apiVersion' | 'kind' | 'metadata'>): Promise<void> {
    try {
      await this.request('DELETE', await this.pathOf(object))
    } catch (error) {
      if (!String(error).includes(': 404 ')) throw error
    }
  }

  async pathOf({ apiVersion, kind, metadata }: Pick<KubeManifest, 'apiVersion' | 'kind' | 'metadata'>): Promise<string> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const find = () => this.#resources.get(base)?.find(one => one.kind === kind && !one.name.includes('/'))
    if (find() === undefined) {
      const { resources } = await this.request<{ resources: readonly ApiResource[] }>('GET', base)
      this.#resources.set(base, resources)
    }
    const resource = find()
    if (resource === undefined) throw new Error(`the API server has no ${kind} in ${apiVersion}`)
    const scope = resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : ''
    return `${base}${scope}/${resource.name}/${metadata.name}`
  }

  async serviceAccountToken(namespace: string, name: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } }
    return (await this.request<{ status: { token: string } }>('POST', path, body)).status.token
  }

  async compact(): Promise<void> {
    const call = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
      const response = await fetch(`http://127.0.0.1:${this.#ports.client}${path}`, { method: 'POST', body: JSON.stringify(body) })
      if (!response.ok) throw new Error(`etcd: ${path}: ${response.status} ${await response.text()}`)
      return (await response.json()) as { header: { revision: string } }
    }
    const { header } = await call('/v3/kv/range', { key: Buffer.from('none').toString('base64') })
    await call('/v3/kv/compaction', { revision: header.revision, physical: true })
  }

  async kill(): Promise<void> {
    await this.#apiserver?.kill()
  }

  async restart(further = this.#options.flags ?? []): Promise<void> {
    await this.kill()
    const args = Object.entries(this.#flags()).map(([name, value]) => `--${name}=${value}`)
    const child = await startProcess(this.#programs.apiserver, [...args, ...further])
    this.#apiserver = child
    const { readyPath = '/readyz' } = this.#options
    await child.until('kube-apiserver is not ready', async () => (await this.request<string>('GET', readyPath)) === 'ok', 60_000)
  }

  freeze(on: boolean): void {
    this.#apiserver?.signal(on ? 'SIGSTOP' : 'SIGCONT')
  }

  async stop(): Promise<void> {
    this.freeze(false)
    this.#agent?.destroy()
    // The API server waits a minute for the watches of others when it is asked to end.
    await this.#apiserver?.kill()
    await this.#etcd?.kill()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  output(): string {
    return this.#apiserver?.output() ?? ''
  }

  async #startEtcd(): Promise<void> {
    const client = `http://127.0.0.1:${this.#ports.client}`
    const peer = `http://127.0.0.1:${this.#ports.peer}`
    const flags = {
      name: 'test',
      'data-dir': join(this.folder, 'etcd'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `test=${peer}`,
      'log-level': 'warn',
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    this.#etcd = await startProcess(this.#programs.etcd, [...args, '--unsafe-no-fsync'])
    await this.#etcd.until('etcd is not ready', async () => (await fetch(`${client}/readyz`)).ok, 30_000)
  }

  #flags(): Readonly<Record<string, string>> {
    const key = join(this.folder, 'service-account.key')
    const address = this.#options.address ?? '127.0.0.1'
    return {
      'etcd-servers': `http://127.0.0.1:${this.#ports.client}`,
      'secure-port': String(this.port),
      'bind-address': address,
      'advertise-address': address,
      'cert-dir': join(this.folder, 'certs'),
      'service-account-key-file': key,
      'service-account-signing-key-file': key,
      'service-account-issuer': 'https://kubernetes.default.svc',
      'token-auth-file': join(this.folder, 'tokens.csv'),
      'authorization-mode': 'RBAC',
      'service-cluster-ip-range': '10.96.0.0/16',
      'disable-admission-plugins': 'ServiceAccount',
      // Endpoints of the API server itself: none of a test's business.
      'endpoint-reconciler-type': 'none',
    }
  }
}
