import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Teardown } from './local.ts'

/**
 * How it treats connections: `pass`; `silent`, which relays nothing more and closes nothing (a peer that is gone without a FIN, for those that
 * are open, and one that never answers, for new ones); `cut`, which ends those that are open and refuses new ones.
 */
export type ProxyMode = 'pass' | 'silent' | 'cut'

export interface TcpProxy {
  readonly port: number
  /** Connections made so far. */
  readonly connections: number
  /** From now on; connections that were silenced stay so. */
  mode(mode: ProxyMode): void
  /** Delay (ms) of each piece from the server, for connections made from now on. */
  delayMs: number
}

/** Stands on a loopback port in front of a server on another, and is as bad a network as it is told to be. It ends with the test. */
export async function startTcpProxy(t: Teardown, target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let mode: ProxyMode = 'pass'
  const state = { connections: 0, delayMs: 0 }
  const server = createServer(socket => {
    if (mode === 'cut') return void socket.destroy()
    state.connections++
    sockets.add(socket.on('error', () => undefined))
    if (mode === 'silent') return void socket.pause()
    const upstream = connect(target, '127.0.0.1')
    sockets.add(upstream.on('error', () => socket.destroy()))
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const)
      one.once('close', () => {
        sockets.delete(one)
        if (mode !== 'silent') other.destroy()
      })
    socket.pipe(upstream)
    if (state.delayMs === 0) upstream.pipe(socket)
    else upstream.pipe(delayed(state.delayMs)).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const end = (): void => sockets.forEach(socket => socket.destroy())
  t.teardown(() => {
    end()
    server.close()
  })
  return Object.assign(state, {
    port: (server.address() as AddressInfo).port,
    mode(next: ProxyMode) {
      mode = next
      if (next === 'cut') end()
      if (next === 'silent') for (const socket of sockets) socket.unpipe().pause()
    },
  })
}

function delayed(ms: number): Transform {
  return new Transform({
    transform(piece, _encoding, done) {
      void sleep(ms).then(() => done(null, piece))
    },
  })
}
