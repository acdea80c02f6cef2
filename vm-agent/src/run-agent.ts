import { Agent } from './agent.ts'
import { GatewayClient, localAddress, textOf } from './client.ts'
import type { Log } from './log.ts'
import type { AgentOptions } from './options.ts'
import { Prober } from './prober.ts'
import { backOffMs, type Time } from './time.ts'

/** No call to the gateway takes longer. */
const requestTimeoutMs = 10_000

/**
 * Runs an agent as its options say; resolves when it has left.
 * @param leave to drain and leave in order
 * @param now to end without that
 */
export async function runAgent(
  options: AgentOptions,
  given: { time: Time; log: Log },
  leave: AbortSignal,
  now: AbortSignal,
): Promise<void> {
  const { time, log } = given
  const own = await ownAddress(options, given, leave)
  if (own === undefined) return
  const services = options.services.map(service => ({ ...service, address: service.address ?? own }))
  const client = new GatewayClient(options.gateway, options.id, options.tokenFile, requestTimeoutMs)
  const settings = {
    intervalMs: options.probeIntervalSeconds * 1000,
    timeoutMs: options.probeTimeoutSeconds * 1000,
    rise: options.rise,
    fall: options.fall,
  }
  const prober = new Prober(services, settings, time, log, () => agent.noteHealth())
  const agent = new Agent({ ...options, services, client, time, log }, service => prober.isHealthy(service))
  const stopProbes = new AbortController()
  const probes = prober.run(AbortSignal.any([stopProbes.signal, now]))
  await agent.run(leave, now)
  stopProbes.abort()
  await probes
}

/** The address of services that name none. The gateway's name may not resolve yet, at boot: this waits for it. */
async function ownAddress(options: AgentOptions, { time, log }: { time: Time; log: Log }, leave: AbortSignal): Promise<string | undefined> {
  if (options.address !== undefined) return options.address
  if (options.services.every(service => service.address !== undefined)) return ''
  for (let failures = 0; !leave.aborted; failures++) {
    try {
      return await localAddress(options.gateway)
    } catch (error) {
      const retryInMs = Math.round(backOffMs(failures, time.random()))
      log('warn', 'no route to the gateway, so the own address is not known: name it with --address', { error: textOf(error), retryInMs })
      await time.sleep(retryInMs, leave)
    }
  }
  return undefined
}
