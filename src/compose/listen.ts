import type { FastifyInstance } from 'fastify'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { ListenAddress } from '../settings/settings.ts'

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

/** @param place address and port, or the path of a socket */
export function listenFailed(key: string, place: string, cause: unknown): IsthmusError {
  return new IsthmusError('listen-failed', `${key}: ${place} cannot be listened on: ${errorText(cause)}`, { cause })
}
