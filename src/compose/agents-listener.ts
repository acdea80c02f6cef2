import { readFileSync } from 'node:fs'
import Fastify, { type FastifyInstance, type FastifyPluginCallback } from 'fastify'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { ListenAddress, TlsFiles } from '../settings/settings.ts'

/**
 * The server for `agents.listen`: the routes of the sources that VMs register with. Apart from the admin API, because agents must reach it
 * and the admin API stays private (style.md 4).
 */
export function createAgentsListener(routes: readonly FastifyPluginCallback[], tls: TlsFiles | undefined): FastifyInstance {
  const https =
    tls === undefined
      ? null
      : {
          cert: readFileSync(tls.certFile),
          key: readFileSync(tls.keyFile),
          ...(tls.clientCaFile === undefined ? {} : { ca: readFileSync(tls.clientCaFile), requestCert: true, rejectUnauthorized: true }),
        }
  const app = Fastify({ forceCloseConnections: true, ...(https === null ? {} : { https }) }) as unknown as FastifyInstance
  for (const plugin of routes) app.register(plugin)
  app.setNotFoundHandler(async (request, reply) => {
    const detail = `${request.method} ${request.url} is no address of the agents' API; with no source of type vm there is none`
    await reply.code(404).type('application/problem+json').send({ code: 'route-unknown', title: 'Not found', status: 404, detail })
  })
  return app
}

/** Listens; throws `listen-failed` naming the setting. Gives the port. */
export async function listen(app: FastifyInstance, key: string, { host, port }: ListenAddress): Promise<number> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    throw new IsthmusError('listen-failed', `${key}: ${host}:${String(port)} cannot be listened on: ${errorText(cause)}`, { cause })
  }
  const address = app.server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}
