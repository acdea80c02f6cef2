import { listenText } from './listen-address.ts'
import type { ListenAddress, Settings } from './settings.ts'

/** Keys whose value is a secret, not the place of one. */
const secretKey = /(token|password|passphrase|secret|apikey|privatekey|credentials)$/i

/**
 * The settings in force in the form of isthmus.yaml: defaults filled in, paths absolute, secrets replaced by `(set)`.
 * Feeding it back gives the same settings, apart from the secrets.
 */
export function effectiveSettings(settings: Settings): Record<string, unknown> {
  const { xds, admin, agents, envoy, sources, ...rest } = settings
  const listening = <T extends { readonly listen: ListenAddress }>(section: T) => ({ ...section, listen: listenText(section.listen) })
  return {
    ...rest,
    xds: listening(xds),
    admin: listening(admin),
    agents: listening(agents),
    envoy: { ...envoy, ...(envoy.ready !== undefined && { ready: listenText(envoy.ready) }) },
    sources: sources.map(({ own, ...base }) => ({ ...base, ...(withoutSecrets(own) as object) })),
  }
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, typeof item === 'string' && secretKey.test(key) ? '(set)' : withoutSecrets(item)]),
  )
}
