import type { CompileResult } from '../compile/emissary/input.ts'
import { compile } from '../compile/emissary/compile.ts'
import { listManifestFiles } from '../manifests/list-files.ts'
import { readManifestFile } from '../manifests/manifest-file.ts'
import type { ManifestProblem } from '../manifests/contract.ts'
import type { ObjectStatus } from '../manifests/status.ts'
import type { Manifest } from '../manifests/object.ts'
import { ManifestStore } from '../manifests/store.ts'
import { refText } from '../model/object-ref.ts'
import { CliError, type Io } from './io.ts'

/** Manifests as the gateway would judge them. */
export interface OfflineResult {
  readonly statuses: readonly ObjectStatus[]
  /** All that are this gateway's, usable or not. */
  readonly manifests: readonly Manifest[]
  readonly problems: readonly ManifestProblem[]
  readonly warnings: readonly string[]
  readonly compiled: CompileResult
  /** Something was refused or could not be read. */
  readonly refused: boolean
}

/**
 * Reads, checks and compiles manifests without a gateway, by the same code. No source is known: what depends on them is taken as if
 * no service had been seen yet.
 * @throws CliError when a path does not exist or holds no manifests
 */
export async function readOffline(
  paths: readonly string[],
  ambassadorIds: readonly string[],
  { env }: Pick<Io, 'env'>,
): Promise<OfflineResult> {
  const store = new ManifestStore(ambassadorIds)
  const run = store.begin('offline')
  const unreadable: ManifestProblem[] = []
  for (const path of paths) {
    const listing = await listManifestFiles(path)
    if (!listing.exists) throw new CliError(2, `-f ${path}: there is no such file or folder`)
    for (const [place, text] of listing.unreadable) unreadable.push({ code: 'manifest-unreadable', at: place, text })
    if (listing.files.size === 0 && listing.unreadable.size === 0)
      throw new CliError(2, `-f ${path}: no manifests (*.yaml, *.yml, *.json) there`)
    for (const file of [...listing.files.keys()].sort()) {
      const group = await readManifestFile(file, 'default')
      if (group !== undefined) run.emit([group])
    }
  }
  run.synced()
  const objects = store.objects()
  const compiled = compile({
    objects,
    hostsDeclared: store.hostsDeclared,
    known: { has: () => false, hasNamespace: namespace => store.namespaces.has(namespace) },
    consulSources: undefined,
    environment: env,
    now: Date.now(),
  })
  store.settle(objects, compiled)
  const statuses = store.statuses()
  const problems = [...store.problems(), ...unreadable]
  return {
    statuses,
    manifests: objects.map(({ manifest }) => manifest),
    problems,
    warnings: store.warnings(),
    compiled,
    refused: problems.length > 0 || statuses.some(one => one.state === 'refused'),
  }
}

/** `-f PATH…` and `--ambassador-id`. */
export interface OfflineOptions {
  readonly file: readonly string[]
  readonly ambassadorId?: string
}

/** Which getambassador.io objects are ours: the option, AMBASSADOR_ID, or `default`. */
export function ambassadorIds({ ambassadorId }: OfflineOptions, { env }: Pick<Io, 'env'>): readonly string[] {
  return (ambassadorId ?? (env['AMBASSADOR_ID'] || 'default')).split(',').map(id => id.trim())
}

/** One line per problem of an object or file, as `validate` prints it; of refused objects also what follows from that. */
export function problemLines({ statuses, problems, warnings }: OfflineResult): readonly string[] {
  return [
    ...statuses
      .filter(one => one.state === 'refused')
      .flatMap(({ ref, problems: found, notices }) => [
        ...found.map(({ at, path, text }) => `${at}: ${refText(ref)}: refused: ${path === '' ? '' : `${path}: `}${text}`),
        ...notices.map(notice => `${ref.at}: ${refText(ref)}: ${notice}`),
      ]),
    ...problems.map(({ at, text }) => `${at}: unreadable: ${text}`),
    ...warnings.map(warning => `warning: ${warning}`),
  ]
}
