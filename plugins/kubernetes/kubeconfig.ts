import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { errorText } from '../../src/model/errors.ts'

/** Where an API server is and who we are to it. */
export interface KubeAccess {
  readonly server: URL
  readonly ca: Material | undefined
  /** `insecure-skip-tls-verify`. */
  readonly anyCertificate: boolean
  readonly serverName: string | undefined
  readonly proxyUrl: string | undefined
  readonly user: KubeUser
  /** Namespace of the context or of the service account. */
  readonly namespace: string | undefined
}

/** PEM text: in the kubeconfig, or in a file that is read again when it changes. */
export type Material = { readonly file: string } | { readonly text: string }

export interface KubeUser {
  readonly token: Material | undefined
  readonly cert: Material | undefined
  readonly key: Material | undefined
  readonly basic: string | undefined
  readonly exec: ExecPlugin | undefined
  /** Has an `auth-provider`, which client-node's KubeConfig knows how to serve. */
  readonly hasProvider: boolean
  readonly impersonate: string | undefined
}

/** `users[].user.exec` of a kubeconfig. */
export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly provideClusterInfo: boolean
  readonly installHint: string | undefined
}

/** What Kubernetes gives a pod to reach its own cluster. */
export interface PodPlace {
  /** With KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Holds token, ca.crt and namespace of the service account. */
  readonly folder: string
}

const ownPod: PodPlace = { environment: process.env, folder: '/var/run/secrets/kubernetes.io/serviceaccount' }

/**
 * Reads a kubeconfig file; relative paths in it count from its folder.
 * @param context the context's name; undefined: the current one
 * @throws Error saying what is wrong and where
 */
export function readKubeconfig(path: string, context: string | undefined): KubeAccess {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`kubeconfig ${path} cannot be read: ${errorText(error)}`, { cause: error })
  }
  try {
    return accessOf(parse(text) as unknown, context, dirname(path))
  } catch (error) {
    throw new Error(`kubeconfig ${path}: ${errorText(error)}`, { cause: error })
  }
}

/**
 * The access of a pod to its own cluster.
 * @throws Error if this process is in no pod
 */
export function inClusterAccess({ environment, folder }: PodPlace = ownPod): KubeAccess {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? ''
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? ''
  if (host === '' || port === '') throw new Error('this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set): give a kubeconfig')
  return {
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    ca: { file: `${folder}/ca.crt` },
    anyCertificate: false,
    serverName: undefined,
    proxyUrl: undefined,
    user: { ...nobody, token: { file: `${folder}/token` } },
    namespace: ownNamespace(folder),
  }
}

const nobody: KubeUser = {
  token: undefined,
  cert: undefined,
  key: undefined,
  basic: undefined,
  exec: undefined,
  hasProvider: false,
  impersonate: undefined,
}

function ownNamespace(folder: string): string | undefined {
  try {
    return readFileSync(`${folder}/namespace`, 'utf8').trim()
  } catch {
    // A token may be mounted without it; only the default of Lease objects depends on it.
    return undefined
  }
}

function accessOf(config: unknown, wanted: string | undefined, folder: string): KubeAccess {
  const name = wanted ?? text(record(config)['current-context'])
  if (name === undefined || name === '') throw new Error('no context is chosen: set `context`, or `current-context` in the file')
  const context = find(config, 'contexts', 'context', name)
  const cluster = find(config, 'clusters', 'cluster', text(context['cluster']) ?? '')
  const user = find(config, 'users', 'user', text(context['user']) ?? '')
  const server = text(cluster['server']) ?? ''
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) throw new Error(`server "${server}" of context "${name}" is no http(s) URL`)
  const proxyUrl = text(cluster['proxy-url'])
  if (proxyUrl !== undefined && !/^https?:/.test(proxyUrl)) throw new Error(`proxy-url "${proxyUrl}" is neither http nor https`)
  const token = text(user['token'])
  const tokenFile = text(user['tokenFile'])
  const username = text(user['username'])
  return {
    server: new URL(server),
    ca: material(cluster, 'certificate-authority', folder),
    anyCertificate: cluster['insecure-skip-tls-verify'] === true,
    serverName: text(cluster['tls-server-name']),
    proxyUrl,
    user: {
      token: tokenFile !== undefined ? { file: resolve(folder, tokenFile) } : token === undefined ? undefined : { text: token },
      cert: material(user, 'client-certificate', folder),
      key: material(user, 'client-key', folder),
      basic: username === undefined ? undefined : `${username}:${text(user['password']) ?? ''}`,
      exec: user['exec'] === undefined || user['exec'] === null ? undefined : execOf(record(user['exec']), folder),
      hasProvider: user['auth-provider'] !== undefined && user['auth-provider'] !== null,
      impersonate: text(user['as']),
    },
    namespace: text(context['namespace']),
  }
}

function find(config: unknown, list: string, field: string, name: string): Readonly<Record<string, unknown>> {
  const items = record(config)[list]
  const found = Array.isArray(items) ? items.map(record).find(item => item['name'] === name) : undefined
  if (found === undefined) throw new Error(`${list} has no "${name}"`)
  return record(found[field])
}

function material(from: Readonly<Record<string, unknown>>, key: string, folder: string): Material | undefined {
  const data = text(from[`${key}-data`])
  if (data !== undefined) return { text: Buffer.from(data, 'base64').toString('utf8') }
  const file = text(from[key])
  return file === undefined ? undefined : { file: resolve(folder, file) }
}

function execOf(exec: Readonly<Record<string, unknown>>, folder: string): ExecPlugin {
  const command = text(exec['command'])
  if (command === undefined) throw new Error('users[].user.exec has no command')
  const env = Array.isArray(exec['env']) ? exec['env'].map(record) : []
  return {
    apiVersion: text(exec['apiVersion']) ?? 'client.authentication.k8s.io/v1',
    // Like kubectl: a bare name is looked up on PATH, a path with a slash counts from the file.
    command: command.includes('/') ? resolve(folder, command) : command,
    args: Array.isArray(exec['args']) ? exec['args'].map(String) : [],
    env: Object.fromEntries(env.map(one => [String(one['name']), text(one['value']) ?? ''])),
    provideClusterInfo: exec['provideClusterInfo'] === true,
    installHint: text(exec['installHint']),
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
