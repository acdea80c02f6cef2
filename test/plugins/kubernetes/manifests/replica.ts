import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { createKubeClient } from '../../../../plugins/kubernetes/client.ts'
import { kubernetesManifests } from '../../../../plugins/kubernetes/manifests/kubernetes-manifests.ts'
import { compile } from '../../../../src/compile/emissary/compile.ts'
import type { CompileResult } from '../../../../src/compile/emissary/input.ts'
import { ManifestHost } from '../../../../src/compose/manifest-host.ts'
import { systemClock } from '../../../../src/discovery/system-clock.ts'
import { WantedSet } from '../../../../src/discovery/wanted-set.ts'
import type { ManifestPublish } from '../../../../src/manifests/contract.ts'
import { readKinds } from '../../../../src/manifests/kinds.ts'
import type { ObjectStatus } from '../../../../src/manifests/status.ts'
import { ManifestStore } from '../../../../src/manifests/store.ts'
import type { KubeCluster, KubeManifest } from '../../../tools/kube-cluster.ts'
import { repository } from '../../../tools/repository.ts'

export interface ReplicaOptions {
  readonly kubeconfig: string
  readonly identity?: string
  readonly ambassadorIds?: readonly string[]
  readonly namespaces?: readonly string[]
  readonly publish?: ManifestPublish
  readonly environment?: Readonly<Record<string, string>>
}

/** The part of a gateway that reads, compiles and reports objects: real store, compiler and host, without Envoy and endpoints. */
export interface Replica {
  readonly store: ManifestStore
  /** The last compilation. */
  readonly compiled: () => CompileResult
  /** Compilations so far. */
  readonly rounds: () => number
  readonly isSynced: () => boolean
  /** What was logged as a warning or an error. */
  readonly warnings: readonly string[]
  status(kind: string, name: string): ObjectStatus | undefined
  stop(): Promise<void>
}

export function startReplica(t: Test, options: ReplicaOptions): Replica {
  const ambassadorIds = options.ambassadorIds ?? ['default']
  const store = new ManifestStore(ambassadorIds)
  const secrets = new WantedSet<string>()
  const warnings: string[] = []
  const warn = (data: object, text: string): void => void warnings.push(`${text} ${JSON.stringify(data)}`)
  const log = { debug() {}, info() {}, warn, error: warn }
  let rounds = 0
  let compiled: CompileResult | undefined
  const compileNow = (): CompileResult => {
    const objects = store.objects()
    const known = { has: () => true, hasNamespace: () => true }
    const result = compile({ objects, hostsDeclared: store.hostsDeclared, known, consulSources: [], environment: {} })
    secrets.replace(result.secrets)
    store.settle(objects, result)
    rounds++
    return (compiled = result)
  }
  let due = false
  store.onChange(() => {
    if (due) return
    due = true
    setImmediate(() => {
      due = false
      compileNow()
    })
  })
  const host = new ManifestHost({
    secrets,
    statuses: { read: () => store.statuses(), onChange: callback => store.onSettled(callback) },
    begin: name => store.begin(name),
    forget: name => store.remove(name),
    clock: systemClock,
    random: Math.random,
    log,
    onSynced: () => undefined,
  })
  const source = kubernetesManifests(
    {
      name: 'cluster-a',
      kinds: readKinds,
      identity: options.identity ?? 'replica-1',
      ambassadorIds,
      publish: options.publish ?? { status: true },
      environment: options.environment ?? {},
    },
    () => ({
      client: createKubeClient({ kubeconfig: options.kubeconfig }),
      namespaces: options.namespaces ?? ['*'],
      timing: { backOffMs: [50, 500] },
      leaseSeconds: 3,
    }),
  )
  host.add('cluster-a', source)
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= host.stop())
  t.teardown(stop)
  return {
    store,
    compiled: () => compiled ?? compileNow(),
    rounds: () => rounds,
    isSynced: () => host.allSynced,
    warnings,
    status: (kind, name) => store.statuses().find(({ ref }) => ref.kind === kind && ref.name === name),
    stop,
  }
}

/** Waits until `look` gives something; fails with what was waited for after 20 s. */
export async function until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`after 20 s: not ${what}`)
    await sleep(20)
  }
}

/** The objects of a file of deploy/kubernetes. */
export async function deployed(...files: readonly string[]): Promise<readonly KubeManifest[]> {
  const texts = await Promise.all(files.map(file => readFile(join(repository, 'deploy/kubernetes', file), 'utf8')))
  return texts.flatMap(text => parseAllDocuments(text).map(document => document.toJS() as KubeManifest | null)).filter(one => one !== null)
}

export const crdFiles = ['crds-getambassador.yaml', 'crds-isthmus.yaml']

/** Installs CustomResourceDefinitions and waits until the API server serves them. */
export async function install(cluster: KubeCluster, crds: readonly KubeManifest[]): Promise<void> {
  await cluster.apply(...crds)
  for (const { metadata } of crds)
    await until(`${metadata.name} is served`, async () => {
      const { status } = await cluster.request<{ status?: { conditions?: readonly { type: string; status: string }[] } }>(
        'GET',
        `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`,
      )
      return status?.conditions?.some(one => one.type === 'Established' && one.status === 'True')
    })
}

export function mapping(name: string, spec: Readonly<Record<string, unknown>>, namespace = 'default'): KubeManifest {
  return { apiVersion: 'getambassador.io/v3alpha1', kind: 'Mapping', metadata: { name, namespace }, spec: { hostname: '*', ...spec } }
}

export function emissary(kind: string, name: string, spec: Readonly<Record<string, unknown>>): KubeManifest {
  return { apiVersion: 'getambassador.io/v3alpha1', kind, metadata: { name, namespace: 'default' }, spec }
}

/** An object as the API server has it now. */
export async function get<T = KubeManifest>(cluster: KubeCluster, object: KubeManifest): Promise<T> {
  return cluster.request<T>('GET', await cluster.pathOf(object))
}
