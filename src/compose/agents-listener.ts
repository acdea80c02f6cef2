import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { createHttpApp } from '../admin/http-app.ts'
import type { SourceLog } from '../discovery/contract.ts'
import type { TlsFiles } from '../settings/settings.ts'

/**
 * The server for `agents.listen`: the routes of the sources that VMs register with. Apart from the admin API, because agents must reach it
 * and the admin API stays private (style.md 4).
 */
export function createAgentsListener(routes: readonly FastifyPluginCallback[], tls: TlsFiles | undefined, log: SourceLog): FastifyInstance {
  const app = createHttpApp({ section: 'agents', tls, log, server: { forceCloseConnections: true } })
  for (const plugin of routes) app.register(plugin)
  app.setNotFoundHandler(async (request, reply) => {
    const detail = `${request.method} ${request.url} is no address of the agents' API; with no source of type vm there is none`
    await reply.code(404).type('application/problem+json').send({ code: 'route-unknown', title: 'Not found', status: 404, detail })
  })
  return app
}
