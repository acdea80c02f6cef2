import type { ConsulRequest } from '../compile/emissary/input.ts'
import type { Settings, SourceSettings } from '../settings/settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Settings of a Consul source that only a ConsulResolver object asks for. Token, TLS, namespace and partition come from Consul's usual
 * environment variables, since the object has no place for them (reference/emissary-resources.md 9).
 */
export function consulFromEnvironment(request: ConsulRequest, settings: Settings, env: Environment): SourceSettings {
  const tls = compact({ caFile: env['CONSUL_CACERT'], certFile: env['CONSUL_CLIENT_CERT'], keyFile: env['CONSUL_CLIENT_KEY'] })
  const token = compact({ file: env['CONSUL_HTTP_TOKEN_FILE'], value: env['CONSUL_HTTP_TOKEN'] })
  const secure = env['CONSUL_HTTP_SSL'] === 'true' || env['CONSUL_HTTP_SSL'] === '1'
  return {
    name: request.name,
    type: 'consul',
    namespace: request.namespace,
    addresses: settings.defaults.addresses,
    own: compact({
      address: secure ? request.address.replace(/^http:/, 'https:') : request.address,
      datacenter: request.datacenter,
      consulNamespace: env['CONSUL_NAMESPACE'],
      partition: env['CONSUL_PARTITION'],
      token: Object.keys(token).length > 0 ? token : undefined,
      tls: Object.keys(tls).length > 0 ? tls : undefined,
    }),
  }
}

/** Without the keys that have no value. */
function compact(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== ''))
}
