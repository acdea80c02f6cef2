import { decodeMessage, encodeMessage, type PlainMessage } from '../../src/xds/codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../../src/xds/resource.ts'
import type { ResourceType } from '../../src/xds/type-urls.ts'

/** A small valid message of each type whose bytes differ with `content`. */
const messages: Readonly<Record<ResourceType, (name: string, content: string) => readonly [string, PlainMessage]>> = {
  cluster: (name, content) => ['envoy.config.cluster.v3.Cluster', { name, altStatName: content }],
  endpoint: (clusterName, content) => [
    'envoy.config.endpoint.v3.ClusterLoadAssignment',
    { clusterName, endpoints: [{ locality: { zone: content } }] },
  ],
  listener: (name, content) => ['envoy.config.listener.v3.Listener', { name, statPrefix: content }],
  route: (name, content) => ['envoy.config.route.v3.RouteConfiguration', { name, virtualHosts: [{ name: content, domains: ['*'] }] }],
  secret: (name, content) => [
    'envoy.extensions.transport_sockets.tls.v3.Secret',
    { name, genericSecret: { secret: { inlineString: content } } },
  ],
  runtime: (name, content) => ['envoy.service.runtime.v3.Runtime', { name, layer: { fields: { content: { stringValue: content } } } }],
}

/** A key, from `type name`. */
export function key(text: string): ResourceKey {
  const [type, name] = text.split(' ')
  return { type: type as ResourceType, name: name ?? '' }
}

/** A resource: `resource('cluster web', 'v2', ['endpoint web'])`. Same content, same version. */
export function resource(id: string, content = 'v1', requires: readonly string[] = []): Resource {
  const { type, name } = key(id)
  const [message, fields] = messages[type](name, content)
  return makeResource(type, name, encodeMessage(message, fields), requires.map(key))
}

type Json = Readonly<Record<string, unknown>>

/** The content that a decoded resource was made with. */
export function contentOf(type: ResourceType, body: Json): string {
  const path: Readonly<Record<ResourceType, readonly string[]>> = {
    cluster: ['altStatName'],
    endpoint: ['endpoints', '0', 'locality', 'zone'],
    listener: ['statPrefix'],
    route: ['virtualHosts', '0', 'name'],
    secret: ['genericSecret', 'secret', 'inlineString'],
    runtime: ['layer', 'content'],
  }
  return String(path[type].reduce<unknown>((value, part) => (value as Json | undefined)?.[part], body))
}

/** The content that a resource was made with. */
export function contentOfResource({ type, name, bytes }: Resource): string {
  return contentOf(type, decodeMessage(messages[type](name, '')[0], bytes))
}
