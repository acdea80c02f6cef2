import type { Mesh, MeshPeer } from '../../model/mesh.ts'
import { Interner } from '../../model/intern.ts'
import { encodeMessage, type PlainMessage } from '../codec.ts'
import { upstreamTls } from './cluster-options.ts'

/** Where Envoy looks in an endpoint's metadata for the socket to reach it by. */
const matchFilter = 'envoy.transport_socket_match'
const matchKey = 'mesh'

const encoded = new Interner<Buffer>(10_000)

/** The metadata of an endpoint in a mesh, encoded: it names the socket of its cluster by the identity. A locked one is never sent. */
export function socketMetadata(mesh: Mesh): Buffer | undefined {
  if ('locked' in mesh) return undefined
  const { identity } = mesh
  return encoded.get(identity, () => {
    const filterMetadata = { [matchFilter]: { fields: { [matchKey]: { stringValue: identity } } } }
    return encodeMessage('envoy.config.core.v3.Metadata', { filterMetadata })
  })
}

/** The socket that a cluster has for endpoints of one identity: mutual TLS, by secrets that are renewed without the cluster. */
export function socketMatch({ identity, certificate, validation }: MeshPeer): PlainMessage {
  return {
    name: identity,
    match: { fields: { [matchKey]: { stringValue: identity } } },
    transportSocket: upstreamTls({ certificate, validation, subjects: [identity], alpn: [], cipherSuites: [], curves: [] }),
  }
}
