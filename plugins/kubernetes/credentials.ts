import { readFileSync } from 'node:fs'
import { type ExecCredential, runExecPlugin } from './exec-credential.ts'
import { errorText } from '../../src/model/errors.ts'
import { KubeFailure } from './failure.ts'
import { inClusterAccess, type KubeAccess, type PodPlace, readKubeconfig } from './kubeconfig.ts'
import { fileVersion, Materials } from './watched-file.ts'

/** How to reach a cluster; without `kubeconfig` from inside it. */
export interface KubeTarget {
  readonly kubeconfig?: string
  readonly context?: string
  /** Default: the pod that this process is in. */
  readonly pod?: PodPlace
}

/** What one call needs. */
export interface Signed {
  readonly access: KubeAccess
  readonly headers: Readonly<Record<string, string>>
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

/** An expiring credential is replaced this much before its end. */
const marginMs = 10_000

/**
 * Reads where the API server is and who we are from a kubeconfig or the pod's own files, anew whenever they change. Token, certificate,
 * basic and exec credentials are served here; only a user with an `auth-provider` loads client-node's KubeConfig, which costs 87 MB.
 */
export class Credentials {
  readonly #target: KubeTarget
  readonly #materials = new Materials()
  #known: { version: string; access: KubeAccess } | undefined
  #exec: Promise<ExecCredential> | undefined
  #provider: Promise<Provider> | undefined

  constructor(target: KubeTarget) {
    this.#target = target
  }

  /** Throws Error when there is no usable configuration. */
  access(): KubeAccess {
    const { kubeconfig, context } = this.#target
    if (kubeconfig === undefined) {
      this.#known ??= { version: '', access: inClusterAccess(this.#target.pod) }
      return this.#known.access
    }
    const version = fileVersion(kubeconfig)
    if (this.#known?.version !== version) {
      this.#known = { version, access: readKubeconfig(kubeconfig, context) }
      this.forget()
    }
    return this.#known.access
  }

  /** Where calls go to and whom they trust, as one string that changes when either does. Throws as `access` does. */
  place(): string {
    const { server, ca, anyCertificate } = this.access()
    return [server.href, this.#materials.read(ca) ?? '', String(anyCertificate)].join('\n')
  }

  /** What the files say now, as one string: it changes when any of them does. */
  version(): string {
    const { kubeconfig } = this.#target
    const user = this.#known?.access.user
    const files = [
      kubeconfig,
      ...[user?.token, user?.cert, user?.key, this.#known?.access.ca].map(one => (one && 'file' in one ? one.file : undefined)),
    ]
    return files.map(file => (file === undefined ? '' : fileVersion(file))).join('\n')
  }

  /** Drops what a plug-in gave: it is asked again. */
  forget(): void {
    this.#exec = undefined
    this.#provider = undefined
  }

  /** Everything for one call, as of now. Throws KubeFailure `unauthorized` saying what cannot be had. */
  async sign(): Promise<Signed> {
    let access: KubeAccess
    try {
      access = this.access()
    } catch (error) {
      throw new KubeFailure('unauthorized', errorText(error), { cause: error })
    }
    const { user } = access
    const ca = this.#materials.read(access.ca)
    const exec = user.exec === undefined ? undefined : await this.#execCredential(access, ca)
    const token = exec?.token ?? this.#materials.read(user.token)?.trim()
    const cert = exec?.cert ?? this.#materials.read(user.cert)
    const key = exec?.key ?? this.#materials.read(user.key)
    const headers: Record<string, string> = {}
    if (user.hasProvider) Object.assign(headers, await this.#fromProvider())
    if (token !== undefined && token !== '') headers['authorization'] = `Bearer ${token}`
    else if (user.basic !== undefined) headers['authorization'] = `Basic ${Buffer.from(user.basic).toString('base64')}`
    if (user.impersonate !== undefined) headers['impersonate-user'] = user.impersonate
    const tls = { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) }
    return { access, headers, tls }
  }

  async #execCredential(access: KubeAccess, ca: string | undefined): Promise<ExecCredential> {
    const { exec } = access.user
    if (exec === undefined) throw new Error('there is no credential plug-in')
    const asked = (this.#exec ??= runExecPlugin(exec, access, ca))
    try {
      const credential = await asked
      if (credential.expiresAt - marginMs > Date.now()) return credential
    } catch (error) {
      if (this.#exec === asked) this.#exec = undefined
      throw error
    }
    // Several calls may find it expired: the first asks anew, the others wait with it.
    if (this.#exec === asked) this.#exec = runExecPlugin(exec, access, ca)
    return this.#exec
  }

  async #fromProvider(): Promise<Readonly<Record<string, string>>> {
    const { kubeconfig = '', context } = this.#target
    try {
      this.#provider ??= loadProvider(kubeconfig, context)
      const options: { headers?: Readonly<Record<string, string>> } = {}
      await (await this.#provider).applyToHTTPSOptions(options)
      return lowerCase(options.headers ?? {})
    } catch (error) {
      this.#provider = undefined
      throw new KubeFailure('unauthorized', `the auth-provider of ${kubeconfig} gives no credentials: ${errorText(error)}`, {
        cause: error,
      })
    }
  }
}

interface Provider {
  applyToHTTPSOptions(options: object): Promise<void>
}

async function loadProvider(kubeconfig: string, context: string | undefined): Promise<Provider> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromString(readFileSync(kubeconfig, 'utf8'))
  if (context !== undefined) config.setCurrentContext(context)
  return config
}

function lowerCase(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
