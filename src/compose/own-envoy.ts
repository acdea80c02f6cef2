import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import { bootstrap } from '../envoy/bootstrap.ts'
import { EnvoySupervisor } from '../envoy/supervisor.ts'
import type { Settings } from '../settings/settings.ts'
import type { XdsServer } from '../xds/server.ts'
import { listenFailed } from './listen.ts'

export interface OwnEnvoyGiven {
  readonly clock: Clock
  readonly random: () => number
  readonly log: SourceLog
}

/**
 * Runs this gateway's own Envoy (`envoy.mode: supervise`). It speaks to the gateway over a Unix socket in a folder that only this user can
 * enter: whatever `xds.listen` asks of Envoys from elsewhere does not concern it, and nobody else on the machine reads along.
 * Throws `listen-failed`, or `tool-missing` for Envoy; nothing is left running then.
 */
export async function startOwnEnvoy(
  { id, envoy }: Settings,
  xds: Pick<XdsServer, 'listenLocally'>,
  given: OwnEnvoyGiven,
): Promise<{ stop(): Promise<void> }> {
  const place = { ...(envoy.zone !== undefined && { zone: envoy.zone }), ...(envoy.region !== undefined && { region: envoy.region }) }
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-xds-'))
  const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const socket = join(folder, 'socket')
  try {
    await xds.listenLocally(socket).catch((cause: unknown) => {
      throw listenFailed('envoy.mode', socket, cause)
    })
    const supervisor = new EnvoySupervisor({
      path: envoy.path,
      adminPort: envoy.adminPort,
      drainSeconds: envoy.drainSeconds,
      quietSeconds: envoy.quietSeconds,
      bootstrap: bootstrap({
        ...{ nodeId: id, cluster: 'isthmus', ...place, xds: { socket }, protocol: 'delta', adminPort: envoy.adminPort },
        ...(envoy.ready === undefined ? {} : { ready: envoy.ready }),
      }),
      ...given,
    })
    await supervisor.start()
    return {
      async stop() {
        await supervisor.stop()
        await removeFolder()
      },
    }
  } catch (error) {
    await removeFolder()
    throw error
  }
}
