declare const brand: unique symbol

/** A logical service: `namespace/name`. The one key under which every source's endpoints meet (reference/discovery.md 1.1). */
export type ServiceKey = string & { readonly [brand]: 'ServiceKey' }

/** Makes the key of a service. Names are kept as they are, dots and upper case included; neither part may hold a slash. */
export function serviceKey(namespace: string, name: string): ServiceKey {
  return `${namespace}/${name}` as ServiceKey
}

/** The two parts of a key. */
export function splitServiceKey(key: ServiceKey): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
