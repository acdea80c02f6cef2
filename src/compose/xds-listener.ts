import type { SourceLog } from '../discovery/contract.ts'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { readTls, watchTls } from '../settings/tls.ts'
import type { XdsServer, XdsServerOptions } from '../xds/server.ts'
import { listenFailed } from './listen.ts'

/** What of `xds` in the settings is the server's business, in its units. */
export function xdsOptions({ verifyNode, clientsPerSecond, connectionAgeSeconds }: Settings['xds']): Partial<XdsServerOptions> {
  return {
    ...(verifyNode !== undefined && { verifyNode }),
    ...(connectionAgeSeconds !== undefined && { maxConnectionAgeMs: connectionAgeSeconds * 1000 }),
    ...(clientsPerSecond !== undefined && {
      admission: { perSecond: clientsPerSecond, burst: Math.ceil(clientsPerSecond), longestWaitMs: 5_000 },
    }),
  }
}

/**
 * Lets Envoys connect, and follows renewed certificate files from then on.
 * Throws `listen-failed`, or `settings-invalid` naming a certificate file that cannot be used.
 * @returns the port, and what stops following the files
 */
export async function listenXds(
  xds: Pick<XdsServer, 'listen' | 'renew'>,
  { listen: address, tls }: Settings['xds'],
  log: Pick<SourceLog, 'info' | 'error'>,
): Promise<{ readonly port: number; close(): void }> {
  const material = tls === undefined ? undefined : readTls('xds.tls', tls)
  let port: number
  try {
    port = await xds.listen(address, material)
  } catch (cause) {
    throw listenFailed('xds.listen', `${address.host}:${String(address.port)}`, cause)
  }
  const watch =
    tls === undefined
      ? undefined
      : watchTls(
          'xds.tls',
          tls,
          renewed => {
            xds.renew(renewed)
            log.info({ file: tls.certFile }, 'xds.tls: the renewed certificate is used from now on')
          },
          (error: IsthmusError) => log.error({ error: errorText(error) }, 'xds.tls: the former certificate is still used'),
        )
  return { port, close: () => watch?.close() }
}
