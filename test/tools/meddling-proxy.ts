import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'

/** What it makes of Consul's answers: nothing, emptiness with or without the sign that ACLs filtered it, or emptiness with an index of 1. */
export type Meddling = 'none' | 'empty' | 'acl-filtered' | 'index-reset'

export interface MeddlingProxy {
  readonly url: string
  /** From the next request on; every connection is cut, as when an agent starts again. */
  meddle(how: Meddling): void
  stop(): Promise<void>
}

/** Stands in front of a real Consul and, when told, lies about services as registries do after a restart or an election. */
export async function startMeddlingProxy(target: string): Promise<MeddlingProxy> {
  let how: Meddling = 'none'
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const url = new URL(incoming.url ?? '/', target)
    const lies = how !== 'none' && /^\/v1\/(health\/service|catalog\/services)/.test(url.pathname)
    const headers = { ...incoming.headers, host: url.host }
    // A lie is told at once: what it stands in for may block.
    if (lies) for (const name of ['index', 'wait']) url.searchParams.delete(name)
    const sent = request(url, { method: incoming.method ?? 'GET', headers }, answer => {
      const changed = lies ? lie(answer) : answer.headers
      outgoing.writeHead(answer.statusCode ?? 502, changed)
      if (lies) {
        answer.resume()
        outgoing.end(url.pathname.startsWith('/v1/catalog') ? '{}' : '[]')
      } else answer.pipe(outgoing)
    })
    sent.on('error', () => outgoing.destroy())
    outgoing.on('close', () => sent.destroy())
    incoming.pipe(sent)
  }
  const lie = ({ headers }: IncomingMessage): Record<string, string | string[]> => {
    const { 'content-length': _length, 'transfer-encoding': _encoding, ...rest } = headers
    const more: Record<string, string> =
      how === 'acl-filtered' ? { 'x-consul-results-filtered-by-acls': 'true' } : how === 'index-reset' ? { 'x-consul-index': '1' } : {}
    return { ...(rest as Record<string, string>), ...more }
  }
  const server = createServer(forward).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    meddle(next) {
      how = next
      server.closeAllConnections()
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
