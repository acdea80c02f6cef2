import type { FastifyInstance } from 'fastify'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { ListenAddress, Settings } from '../settings/settings.ts'
import { readTls } from '../settings/tls.ts'
import type { XdsServer } from '../xds/server.ts'

/** Listens; throws `listen-failed` naming the setting. Gives the port. */
export async function listen(app: FastifyInstance, key: string, { host, port }: ListenAddress): Promise<number> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    throw listenFailed(key, `${host}:${String(port)}`, cause)
  }
  const address = app.server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Lets Envoys connect; throws `listen-failed`, or `settings-invalid` naming a certificate file that cannot be used. Gives the port. */
export async function listenXds(xds: Pick<XdsServer, 'listen'>, { listen: address, tls }: Settings['xds']): Promise<number> {
  if (tls !== undefined) readTls('xds.tls', tls)
  try {
    return await xds.listen(address, tls)
  } catch (cause) {
    throw listenFailed('xds.listen', `${address.host}:${String(address.port)}`, cause)
  }
}

/** @param place address and port, or the path of a socket */
export function listenFailed(key: string, place: string, cause: unknown): IsthmusError {
  return new IsthmusError('listen-failed', `${key}: ${place} cannot be listened on: ${errorText(cause)}`, { cause })
}
