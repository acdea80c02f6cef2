import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import { createHttpApp } from '../admin/http-app.ts'
import type { SourceLog } from '../discovery/contract.ts'
import type { Settings, TlsFiles } from '../settings/settings.ts'
import { listen } from './listen.ts'

/**
 * The server for `agents.listen`: the routes of the sources that VMs register with. Apart from the admin API, because agents must reach it
 * and the admin API stays private (style.md 4).
 */
export class AgentsListener {
  readonly #log: SourceLog
  #app: FastifyInstance | undefined
  #routes: readonly FastifyPluginCallback[] = []
  #port = 0

  constructor(log: SourceLog) {
    this.#log = log
  }

  /**
   * Serves these routes, and gives the port. A source is a new object after a change of its settings, and a server cannot swap its routes: there
   * is a new one then, on the port of the former.
   * @throws IsthmusError `listen-failed`
   */
  async serve(routes: readonly FastifyPluginCallback[], { listen: address, tls }: Settings['agents']): Promise<number> {
    const isSame = routes.length === this.#routes.length && routes.every((one, index) => one === this.#routes[index])
    if (this.#app !== undefined && isSame) return this.#port
    await this.close()
    this.#routes = routes
    this.#app = appOf(routes, tls, this.#log)
    this.#port = await listen(this.#app, 'agents.listen', { host: address.host, port: this.#port === 0 ? address.port : this.#port })
    return this.#port
  }

  async close(): Promise<void> {
    await this.#app?.close()
  }
}

function appOf(routes: readonly FastifyPluginCallback[], tls: TlsFiles | undefined, log: SourceLog): FastifyInstance {
  const app = createHttpApp({ section: 'agents', tls, log, server: { forceCloseConnections: true } })
  for (const plugin of routes) app.register(plugin)
  app.setNotFoundHandler(async (request, reply) => {
    const detail = `${request.method} ${request.url} is no address of the agents' API; with no source of type vm there is none`
    await reply.code(404).type('application/problem+json').send({ code: 'route-unknown', title: 'Not found', status: 404, detail })
  })
  return app
}
