import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { IsthmusError } from '../../model/errors.ts'

/** Ports of loopback that nobody listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}

/** Throws `listen-failed` when somebody listens on the port: better said now than by Envoy's log. */
export async function demandPort(port: number): Promise<void> {
  const server = createServer().listen(port, '0.0.0.0')
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new IsthmusError('listen-failed', `port ${String(port)} is in use: choose another with --port`, { cause })
  }
  await once(server.close(), 'close')
}
