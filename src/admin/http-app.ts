import type { Server } from 'node:https'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { TlsFiles } from '../settings/settings.ts'
import { readTls, type Tls, watchTls } from '../settings/tls.ts'
import { serializerCompiler } from './serialization.ts'
import { validatorCompiler } from './validation.ts'

export interface HttpAppOptions {
  /** Where in the settings its address stands: `admin` or `agents`. */
  readonly section: string
  readonly tls?: TlsFiles | undefined
  readonly log?: { info?(data: object, message: string): void; error(data: object, message: string): void } | undefined
  readonly server?: Pick<FastifyServerOptions, 'bodyLimit' | 'forceCloseConnections'>
}

/**
 * A Fastify instance that does not listen yet, over TLS if files are given; certificates are read again when they change, new connections
 * get the new one. Throws `settings-invalid` naming a certificate file that cannot be used.
 */
export function createHttpApp({ section, tls, log, server = {} }: HttpAppOptions): FastifyInstance {
  const app = tls === undefined ? Fastify(server) : createTlsApp(section, tls, log, server)
  return app.setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler)
}

function createTlsApp(
  section: string,
  tls: TlsFiles,
  log: HttpAppOptions['log'],
  server: NonNullable<HttpAppOptions['server']>,
): FastifyInstance {
  const key = `${section}.tls`
  const options = (now: Tls): Tls & { requestCert?: true } => (now.ca === undefined ? now : { ...now, requestCert: true })
  // The server's type differs with TLS, and nothing depends on it.
  const app = Fastify({ ...server, https: options(readTls(key, tls)) }) as unknown as FastifyInstance
  const watch = watchTls(
    key,
    tls,
    now => {
      ;(app.server as unknown as Server).setSecureContext(options(now))
      log?.info?.({ section: key }, 'the certificate files changed and were read again')
    },
    error =>
      log?.error({ code: error.code, error: error.message }, 'changed certificate files cannot be used; the former certificate stays'),
  )
  app.addHook('onClose', () => watch.close())
  return app
}
