import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/** `/api/v1/openapi.json` and the page `/api/v1/docs`, made of the routes' schemas. Must be added before the routes. */
export function addOpenapi(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Isthmus admin API',
        version,
        description:
          'Lists come in pages (limit, cursor, sort). Every answer carries X-Isthmus-Index and a weak ETag; ?index=N&wait=60s waits for a change. ' +
          'Errors are problem JSON (RFC 9457) with a stable code.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
  app.register(page => {
    // A browser sends no token with a page's files; the page itself asks for one before it calls the API.
    page.addHook('onRoute', route => {
      route.config = { ...route.config, access: 'open' }
    })
    page.register(swaggerUi, { routePrefix: '/api/v1/docs', uiConfig: { displayRequestDuration: true, persistAuthorization: true } })
  })
  app.register(routes => {
    routes.get('/api/v1/openapi.json', { config: { access: 'open' }, schema: { hide: true } }, () => routes.swagger())
    routes.get('/', { config: { access: 'open' }, schema: { hide: true } }, (_request, reply) => reply.redirect('/api/v1/docs'))
  })
}
