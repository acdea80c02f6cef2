import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { dnsSource, namedKey, type NamedService } from './dns-source.ts'
import { dnsSchema, type DnsSettings, usual } from './settings.ts'

/** The DNS source: services behind names, see README.md. */
export const dnsPlugin: SourcePlugin<DnsSettings> = {
  type: 'dns',
  schema: dnsSchema,
  create(settings, given) {
    const { names, servers = [], minTtlSeconds, maxTtlSeconds, timeoutSeconds } = { ...usual, ...settings }
    const all = Object.entries(names).map(([service, at]) => named(service, at, given))
    return {
      source: dnsSource(
        { names: all, servers, minTtlSeconds, maxTtlSeconds, timeoutMs: timeoutSeconds * 1000, otherTtlSeconds: maxTtlSeconds / 10 },
        given,
      ),
      maxQuietSeconds: maxTtlSeconds * 2 + 60,
    }
  },
}

function named(service: string, at: string, { name, namespace }: { readonly name: string; readonly namespace: string }): NamedService {
  const colon = at.lastIndexOf(':')
  const port = Number(at.slice(colon + 1))
  if (!(port >= 1 && port <= 65_535))
    throw new IsthmusError('settings-invalid', `source ${name}: names.${service}: port ${at.slice(colon + 1)} is none of 1 to 65535`)
  return { service: namedKey(service, namespace), host: at.slice(0, colon).replace(/^\[|\]$/g, ''), port }
}
