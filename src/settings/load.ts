import { existsSync, readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { SourceType } from '../discovery/contract.ts'
import { errorText, IsthmusError } from '../model/errors.ts'
import { check, compileCheck } from './check.ts'
import { parseSettings, type Path, type Problem, type SettingsDocument } from './document.ts'
import { parseListenAddress } from './listen-address.ts'
import { fromEnvironment, fromFlags, type Override } from './overlay.ts'
import { manifestProblems, readManifests } from './manifests.ts'
import { absolutePath } from './paths.ts'
import { notBuilt, type SettingsFile, settingsSchema } from './schema.ts'
import type { ListenAddress, Settings, TlsFiles } from './settings.ts'
import { type RawSource, readSources, trustProblems } from './sources.ts'

export interface SettingsInput {
  /** The settings file. Left out: `isthmus.yaml` in the working folder, and if there is none, none. */
  readonly file?: string
  /** The working folder: flags' and variables' relative paths count from it. */
  readonly cwd?: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** By the name of the key, e.g. `{ 'xds.listen': ':18000' }`. */
  readonly flags: Readonly<Record<string, string>>
  /** Plugins of the sources that may be configured: their schemas check the sources' own keys. */
  readonly plugins: readonly SourceType[]
}

const checkFile = compileCheck(settingsSchema)

/** The settings file that `loadSettings` would read, absolute; undefined when there is none. */
export function settingsFile({ file, cwd = process.cwd() }: Pick<SettingsInput, 'file' | 'cwd'>): string | undefined {
  if (file !== undefined) return resolve(cwd, file)
  const usual = resolve(cwd, 'isthmus.yaml')
  return existsSync(usual) ? usual : undefined
}

/**
 * Reads the settings: flags win over environment variables, these over the file, this over the defaults.
 * @throws IsthmusError `settings-invalid` with one line per mistake: place, key, what is wrong, what was probably meant
 * @throws IsthmusError `settings-unreadable` if the file cannot be read
 */
export function loadSettings(input: SettingsInput): Settings {
  const cwd = input.cwd ?? process.cwd()
  const file = settingsFile(input)
  // Messages name the file as it was given: short, and clickable in most terminals.
  const document = parseSettings(file === undefined ? '' : readText(file), input.file ?? 'isthmus.yaml')
  const environment = fromEnvironment(input.env)
  const flags = fromFlags(input.flags)
  const overrides = new Map([...environment.values, ...flags.values].map(one => [one.key.name, one]))
  const folder = file === undefined ? cwd : dirname(file)
  const content = overlay(document.content, overrides.values())

  const problems = [...check(checkFile, content)].map(unbuilt)
  const lines = [...document.faults, ...environment.faults, ...flags.faults]
  // Sections without mistakes are looked at further, so that one run names every mistake.
  const wrong = new Set(problems.map(problem => problem.path[0]))
  const raw = withoutKeys(content, wrong) as SettingsFile
  const folderOf = (key: string) => (overrides.has(key) ? cwd : folder)
  const sources = readSources(soundSources(content, problems), raw.defaults, input.plugins, folderOf('sources'))
  problems.push(...sources.problems, ...tlsProblems(raw), ...manifestProblems(raw.manifests, sources.sources))
  problems.push(...trustProblems(raw.trust, sources.sources, input.plugins))
  lines.push(...problems.map(problem => lineOf(problem, document, overrides)))
  // A problem of a union may be found once per branch.
  if (lines.length > 0) throw new IsthmusError('settings-invalid', [...new Set(lines)].join('\n'))

  const tlsOf = (section: 'xds' | 'admin' | 'agents') => {
    const tls = raw[section]?.tls
    if (tls?.certFile === undefined || tls.keyFile === undefined) return {}
    const at = (key: string, path: string) => absolutePath(path, folderOf(`${section}.tls.${key}`))
    const files: TlsFiles = {
      certFile: at('certFile', tls.certFile),
      keyFile: at('keyFile', tls.keyFile),
      ...(tls.clientCaFile === undefined ? {} : { clientCaFile: at('clientCaFile', tls.clientCaFile) }),
    }
    return { tls: files }
  }
  const statePath = raw.state?.path ?? './state'
  const envoyPath = raw.envoy?.path ?? 'envoy'
  const { ambassadorId = 'default' } = raw
  const { verifyNode, clientsPerSecond, connectionAgeSeconds } = raw.xds ?? {}
  return {
    id: raw.id ?? hostname(),
    ambassadorId: typeof ambassadorId === 'string' ? [ambassadorId] : ambassadorId,
    state: { path: statePath === ':memory:' ? statePath : absolutePath(statePath, folderOf('state.path')) },
    ledger: { days: raw.ledger?.days ?? 7, megabytes: raw.ledger?.megabytes ?? 256 },
    xds: {
      listen: address(raw.xds?.listen ?? '127.0.0.1:18000'),
      ...tlsOf('xds'),
      ...(verifyNode !== undefined && { verifyNode }),
      ...(clientsPerSecond !== undefined && { clientsPerSecond }),
      ...(connectionAgeSeconds !== undefined && { connectionAgeSeconds }),
    },
    admin: {
      listen: address(raw.admin?.listen ?? '127.0.0.1:8877'),
      ...tlsOf('admin'),
      tokens: (raw.admin?.tokens ?? []).map(token => ({ ...token, file: absolutePath(token.file, folderOf('admin.tokens')) })),
    },
    agents: { listen: address(raw.agents?.listen ?? '127.0.0.1:18090'), ...tlsOf('agents') },
    envoy: {
      mode: raw.envoy?.mode ?? 'none',
      path: envoyPath.includes('/') ? absolutePath(envoyPath, folderOf('envoy.path')) : envoyPath,
      adminPort: raw.envoy?.adminPort ?? 19_000,
      drainSeconds: raw.envoy?.drainSeconds ?? 30,
      quietSeconds: raw.envoy?.quietSeconds ?? 1,
      ...(raw.envoy?.ready !== undefined && { ready: address(raw.envoy.ready) }),
      ...(raw.envoy?.zone !== undefined && { zone: raw.envoy.zone }),
      ...(raw.envoy?.region !== undefined && { region: raw.envoy.region }),
    },
    defaults: { addresses: { allow: raw.defaults?.addresses?.allow ?? [], only: raw.defaults?.addresses?.only ?? [] } },
    manifests: raw.manifests === undefined ? usualManifests(folder) : readManifests(raw.manifests, folderOf('manifests')),
    sources: sources.sources,
    ...(raw.trust !== undefined && { trust: raw.trust }),
    startup: { gateSeconds: raw.startup?.gateSeconds ?? 30, knownSeconds: raw.startup?.knownSeconds ?? 5 },
    log: { level: raw.log?.level ?? 'info' },
  }
}

function withoutKeys(content: unknown, keys: ReadonlySet<unknown>): unknown {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return {}
  return Object.fromEntries(Object.entries(content).filter(([key]) => !keys.has(key)))
}

/** The sources whose common keys are right, by their place in the list. */
function soundSources(content: unknown, problems: readonly Problem[]): ReadonlyMap<number, RawSource> {
  const sources = (content as { sources?: unknown } | null | undefined)?.sources
  const wrong = new Set(problems.filter(({ path }) => path[0] === 'sources').map(({ path }) => path[1]))
  if (!Array.isArray(sources) || wrong.has(undefined)) return new Map()
  return new Map([...(sources as readonly RawSource[]).entries()].filter(([index]) => !wrong.has(index)))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new IsthmusError('settings-unreadable', `${file}: cannot be read: ${errorText(cause)}; give another file with -c`, { cause })
  }
}

/** The content with the overrides put in. A parent that is no mapping stays as it is: the check names it. */
function overlay(content: unknown, overrides: Iterable<Override>): unknown {
  for (const { key, value } of overrides) content = put(content, key.path, value)
  return content
}

function put(parent: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  if (parent !== undefined && (typeof parent !== 'object' || parent === null || Array.isArray(parent))) return parent
  const record = (parent ?? {}) as Record<string, unknown>
  return { ...record, [key]: put(record[key], rest, value) }
}

function lineOf({ path, text }: Problem, document: SettingsDocument, overrides: ReadonlyMap<string, Override>): string {
  const name = path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')
  for (let length = path.length; length > 0; length--) {
    const origin = overrides.get(path.slice(0, length).join('.'))?.origin
    if (origin !== undefined) return `${origin}: ${name}: ${text}`
  }
  return `${document.locate(path)}: ${name === '' ? '' : `${name}: `}${text}`
}

/** Keys and kinds that interface.md has and this version has not say so, instead of "unknown". */
function unbuilt(problem: Problem): Problem {
  const later = notBuilt.get(problem.path.join('.'))
  if (later !== undefined) return { ...problem, text: later }
  return problem
}

function tlsProblems(raw: SettingsFile): readonly Problem[] {
  const problems: Problem[] = []
  for (const section of ['xds', 'admin', 'agents'] as const) {
    const tls = raw[section]?.tls
    if (tls === undefined || Object.keys(tls).length === 0) continue
    for (const key of ['certFile', 'keyFile'] as const) {
      const path: Path = [section, 'tls']
      if (tls[key] === undefined) problems.push({ path, text: `key "${key}" is missing: TLS needs a certificate and its key` })
    }
  }
  return problems
}

function usualManifests(folder: string): Settings['manifests'] {
  const path = join(folder, 'manifests')
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? [{ type: 'directory', path }] : []
}

/** Only for text that the schema's format let through. */
function address(text: string): ListenAddress {
  const parsed = parseListenAddress(text)
  if (parsed === undefined) throw new Error(`"${text}" passed the check of listen addresses`)
  return parsed
}
