import type { FastifyInstance } from 'fastify'
import type { AdminToken, TlsFiles } from '../settings/settings.ts'
import { addAuth } from './plugins/auth.ts'
import { addErrors } from './plugins/errors.ts'
import { addOpenapi } from './plugins/openapi.ts'
import { createHttpApp } from './http-app.ts'
import type { AdminReaders } from './readers.ts'
import { addAgents } from './routes/agents.ts'
import { addConflicts } from './routes/conflicts.ts'
import type { RouteContext } from './routes/context.ts'
import { addEndpoints } from './routes/endpoints.ts'
import { addEvents } from './routes/events.ts'
import { addHealth } from './routes/health.ts'
import { addOverrides } from './routes/overrides.ts'
import { addObjects } from './routes/objects.ts'
import { addProxies } from './routes/proxies.ts'
import { addServices } from './routes/services.ts'
import { addSources } from './routes/sources.ts'
import { addStatus } from './routes/status.ts'
import { addWhatIf } from './routes/what-if.ts'
import { problemBody } from './schemas.ts'
import { Waits } from './waits.ts'

/** 1 MiB. */
const bodyLimit = 1_048_576

export interface AdminOptions {
  readonly tokens?: readonly AdminToken[]
  readonly tls?: TlsFiles
  /** For defects, unreadable token files and changed certificates. */
  readonly log?: { info?(data: object, message: string): void; error(data: object, message: string): void }
}

/**
 * The admin API of one gateway (interface.md, "Admin API"). It reads `readers` and never listens: the caller does, tests use `inject`.
 * Closing it releases every blocked query.
 */
export function createAdmin(readers: AdminReaders, { tokens = [], tls, log }: AdminOptions = {}): FastifyInstance {
  const app = createHttpApp({ section: 'admin', tls, log, server: { bodyLimit, forceCloseConnections: true } })
  addErrors(app, (error, url) => log?.error({ error, url }, 'a request to the admin API failed'))
  addAuth(app, tokens, (file, error) => log?.error({ file, error }, 'an admin token cannot be read: nobody gets in with it'))

  const waits = new Waits(readers.table, readers.clock)
  app.addHook('preClose', done => {
    waits.close()
    done()
  })
  app.addHook('onRoute', route => {
    // Every route may answer with a problem; the documentation says so once for all.
    if (route.schema?.response !== undefined) {
      route.schema.response = {
        ...(route.schema.response as object),
        '4xx': { description: 'Problem', content: { 'application/problem+json': { schema: problemBody } } },
      }
    }
  })
  addOpenapi(app, readers.version)
  app.register(probes => addHealth(probes, readers))
  app.register(
    api => {
      const context: RouteContext = { readers, waits }
      for (const add of [
        addStatus,
        addSources,
        addServices,
        addEndpoints,
        addProxies,
        addObjects,
        addAgents,
        addConflicts,
        addOverrides,
        addEvents,
        addWhatIf,
      ])
        add(api, context)
    },
    { prefix: '/api/v1' },
  )
  return app
}
