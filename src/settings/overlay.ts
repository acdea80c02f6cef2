import { parse } from 'yaml'
import { commaList } from '../model/comma-list.ts'
import { errorText } from '../model/errors.ts'
import { nearest } from '../model/nearest.ts'
import { type SettingsKey, settingsKeys } from './keys.ts'

/** A key that was set outside the file. */
export interface Override {
  readonly key: SettingsKey
  readonly value: unknown
  /** `--xds-listen` or `ISTHMUS_XDS_LISTEN`: where messages point. */
  readonly origin: string
}

export interface Overrides {
  /** In order of precedence: a later one of the same key wins. */
  readonly values: readonly Override[]
  readonly faults: readonly string[]
}

/** Set for other purposes: the commands' admin URL and token, programs for tests, and what Kubernetes sets for a Service called isthmus. */
const notSettings = /^ISTHMUS_(ADMIN|TOKEN_FILE|ENVOY|CONSUL)$|^ISTHMUS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP).*)?)$/

/**
 * Reads settings from the environment: `ISTHMUS_…` for every key, and Emissary's AMBASSADOR_ID. An empty value counts as not set. A name
 * that is not known is a fault only when it looks like one of ours, because a name of ours may mean something to another program.
 */
export function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Overrides {
  const values: Override[] = []
  const faults: string[] = []
  const known = new Map(settingsKeys.map(key => [key.env, key]))
  const ambassadorId = known.get('ISTHMUS_AMBASSADOR_ID')
  const emissary = env['AMBASSADOR_ID']
  if (ambassadorId !== undefined && emissary !== undefined && emissary !== '')
    values.push({ key: ambassadorId, value: commaList(emissary), origin: 'AMBASSADOR_ID' })
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('ISTHMUS_') || text === undefined || text === '') continue
    const key = known.get(name)
    if (key !== undefined) read(key, text, name, values, faults)
    else if (!notSettings.test(name)) {
      const [meant] = nearest(name, known.keys())
      if (meant !== undefined) faults.push(`environment: ${name} is no setting; did you mean ${meant}?`)
    }
  }
  return { values, faults }
}

/**
 * Reads settings from flags.
 * @param flags by the name of the key, e.g. `xds.listen`
 */
export function fromFlags(flags: Readonly<Record<string, string>>): Overrides {
  const values: Override[] = []
  const faults: string[] = []
  const known = new Map(settingsKeys.map(key => [key.name, key]))
  for (const [name, text] of Object.entries(flags)) {
    const key = known.get(name)
    if (key === undefined) faults.push(`flags: no setting is called "${name}"`)
    else read(key, text, key.flag, values, faults)
  }
  return { values, faults }
}

function read(key: SettingsKey, text: string, origin: string, values: Override[], faults: string[]): void {
  if (key.kind === 'list') values.push({ key, value: commaList(text), origin })
  else if (key.kind === 'number') values.push({ key, value: /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text, origin })
  else if (key.kind === 'yaml') {
    try {
      values.push({ key, value: parse(text) as unknown, origin })
    } catch (error) {
      faults.push(`${origin}: no YAML or JSON: ${errorText(error).split('\n', 1)[0] ?? ''}`)
    }
  } else values.push({ key, value: text, origin })
}
