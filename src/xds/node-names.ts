import type { PeerCertificate } from 'node:tls'

/** The names in a certificate that node names are held against: its subject alternative names of type DNS, URI and IP. */
export function certificateNames({ subjectaltname = '' }: Pick<PeerCertificate, 'subjectaltname'>): readonly string[] {
  return [...subjectaltname.matchAll(/(?:DNS|URI|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, name = '']) =>
    // Node quotes a name that holds characters with a meaning in this list.
    name.startsWith('"') ? (JSON.parse(name) as string) : name,
  )
}

/**
 * Whether a certificate speaks for a node (xds.md L10): one of its names is the node's id or cluster, or a SPIFFE id whose last part is one
 * of them, or a wildcard (`*.edge.example`) that covers one of them by exactly one more label.
 */
export function namesNode(names: readonly string[], node: { readonly id: string; readonly cluster: string }): boolean {
  return names.some(name => [node.id, node.cluster].some(wanted => wanted !== '' && speaksFor(name, wanted)))
}

function speaksFor(name: string, wanted: string): boolean {
  if (name === wanted) return true
  if (name.startsWith('spiffe://')) return name.slice(name.lastIndexOf('/') + 1) === wanted && name.split('/').length > 3
  if (!name.startsWith('*.')) return false
  const dot = wanted.indexOf('.')
  return dot > 0 && wanted.slice(dot) === name.slice(1)
}
