import type { ServiceBody } from '../admin/schemas.ts'
import type { AdminClient } from './client.ts'
import { CliError } from './io.ts'

/** A service as the API's paths want it. */
export interface ServiceName {
  readonly namespace: string
  readonly name: string
}

/**
 * Finds the service that somebody means by `namespace/name`, `name.namespace` or `name` (in namespace `default`, else in the only one that
 * has it). A name nobody knows is given back as it reads best; the API then says what is near.
 */
export async function findService(client: AdminClient, text: string): Promise<ServiceName> {
  const slash = text.indexOf('/')
  if (slash >= 0) return { namespace: text.slice(0, slash), name: text.slice(slash + 1) }
  const dot = text.lastIndexOf('.')
  const readings: ServiceName[] = [{ namespace: 'default', name: text }]
  if (dot > 0) readings.push({ namespace: text.slice(dot + 1), name: text.slice(0, dot) })
  const { body } = await client.list<ServiceBody>('/services', { q: dot > 0 ? text.slice(0, dot) : text })
  for (const reading of readings)
    if (body.items.some(item => item.namespace === reading.namespace && item.name === reading.name)) return reading
  const others = body.items.filter(item => item.name === text)
  const [only] = others
  if (others.length > 1) throw new CliError(2, `"${text}" is in several namespaces; say which: ${others.map(item => item.key).join(', ')}`)
  return only ?? readings.at(-1) ?? { namespace: 'default', name: text }
}

/** The path of a service in the API. */
export function servicePath({ namespace, name }: ServiceName): string {
  return `/services/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`
}
