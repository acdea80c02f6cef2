/**
 * A third party's source for the soak: N services of M endpoints, told at once, and from `POST /soak/start` on so many changes per second
 * as asked for, each an emission of its own with every endpoint of the service made anew, as from a registry's answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from '../../src/model/type.ts'
import type { SourceContext, SourcePlugin } from '../../src/discovery/contract.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { baseAddress, changedAddress, endpointPort, type Plan, serviceName } from '../bench/plan.ts'

interface SoakSettings extends Plan {
  readonly perSecond: number
}

/** When each change was emitted, ms of the clock that all processes of the machine share; the first is change 1. */
const sentAt: number[] = []

const plugin: SourcePlugin<SoakSettings> = {
  type: 'soak',
  schema: Type.Object({ services: Type.Integer(), endpoints: Type.Integer(), perSecond: Type.Integer() }, { additionalProperties: false }),
  create(settings, { namespace }) {
    let begin: (seconds: number) => void = () => undefined
    const begun = new Promise<number>(resolve => (begin = resolve))
    return {
      source: {
        async run(context) {
          const all = Array.from({ length: settings.services }, (_, service) => groupOf(settings, namespace, service, undefined))
          context.emit(all)
          context.synced()
          await Promise.race([begun.then(seconds => change(settings, namespace, context, seconds)), aborted(context.signal)])
          await aborted(context.signal)
        },
      },
      agentRoutes: (app, _options, done) => {
        app.post<{ Querystring: { seconds: string } }>('/soak/start', ({ query }) => {
          begin(Number(query.seconds))
          return {}
        })
        app.get('/soak/sent', () => sentAt)
        done()
      },
    }
  },
}
export default plugin

function groupOf(plan: Plan, namespace: string, service: number, n: number | undefined): EndpointGroup {
  const endpoints = Array.from({ length: plan.endpoints }, (_, slot) => {
    const address = slot === 0 && n !== undefined ? changedAddress(n) : baseAddress(plan, service, slot)
    return makeEndpoint({ address, port: endpointPort, id: address, tags: ['v1'], meta: { zone: 'a' } })
  })
  return { id: serviceName(service), service: serviceKey(namespace, serviceName(service)), endpoints }
}

/** On a fixed schedule: what is late is caught up with. */
async function change(settings: SoakSettings, namespace: string, { emit, signal, report }: SourceContext, seconds: number): Promise<void> {
  const begun = performance.now()
  const total = settings.perSecond * seconds
  while (sentAt.length < total && !signal.aborted) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) * settings.perSecond) / 1000))
    while (sentAt.length < due) {
      const n = sentAt.push(machineNow())
      emit([groupOf(settings, namespace, n % settings.services, n)], undefined, 'explicit')
    }
    report({ ok: true })
    await sleep(1)
  }
}

function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
}
