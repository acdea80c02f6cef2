import { Interner } from './intern.ts'

declare const brand: unique symbol

/** A logical service: `namespace/name`. The one key under which every source's endpoints meet (reference/discovery.md 1.1). */
export type ServiceKey = string & { readonly [brand]: 'ServiceKey' }

/** Every instance of a service carries its key: they share one string. */
const keys = new Interner<ServiceKey>(100_000)

/** Makes the key of a service. Names are kept as they are, dots and upper case included; neither part may hold a slash. */
export function serviceKey(namespace: string, name: string): ServiceKey {
  const text = `${namespace}/${name}` as ServiceKey
  return keys.get(text, () => text)
}

/** The two parts of a key. */
export function splitServiceKey(key: ServiceKey): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
