/**
 * A source inside the gateway that a bench drives over a Unix socket, so that what is measured begins when a change is accepted and holds
 * no registry of its own: each line `[number, service]` replaces the first endpoint of a service, and is answered with the moment at which
 * the change was handed to the gateway (`process.hrtime`, ms: one clock for all processes). A third item that is true has the change made and
 * dropped instead: what the source itself costs. A fourth says how many endpoints the service then has; 0: it is gone.
 */
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { Type } from '../../src/model/type.ts'
import type { SourceContext, SourcePlugin } from '../../src/discovery/contract.ts'
import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { baseAddress, changedAddress, endpointPort, type Plan, serviceName } from './plan.ts'

interface Settings extends Plan {
  readonly socket: string
}

/** Text as it comes out of a registry's answer: one made of pieces keeps its pieces. */
function parsed(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string
}

function endpointOf(address: string, slot: number): Endpoint {
  return makeEndpoint({ address: parsed(address), port: endpointPort, id: parsed(`slot-${String(slot)}`) })
}

const plugin: SourcePlugin<Settings> = {
  type: 'direct',
  schema: Type.Object(
    { services: Type.Integer(), endpoints: Type.Integer(), socket: Type.String({ format: 'path' }) },
    { additionalProperties: false },
  ),
  create: plan => ({ source: { run: context => run(plan, context) } }),
}

async function run(plan: Settings, context: SourceContext): Promise<void> {
  /** A slice of the service's endpoints, all made anew, as a reader of EndpointSlices or of Consul has them after every change. */
  const groupOf = (service: number, first: string, length = plan.endpoints): EndpointGroup => {
    const name = serviceName(service)
    const endpoints = Array.from({ length }, (_, slot) => endpointOf(slot === 0 ? first : baseAddress(plan, service, slot), slot))
    return { id: name, service: serviceKey('default', name), endpoints }
  }
  for (let service = 0; service < plan.services; service++) context.emit([groupOf(service, baseAddress(plan, service, 0))])
  context.synced()
  context.report({ ok: true })
  const server = createServer(socket => {
    createInterface({ input: socket }).on('line', line => {
      const [number, service, isDropped, length] = JSON.parse(line) as [number, number, boolean, number?]
      const group = groupOf(service, changedAddress(number), length)
      const acceptedAt = Number(process.hrtime.bigint()) / 1e6
      if (!isDropped) context.emit([group], context.clock.now(), 'explicit')
      // After what the change has led to by then: a socket's write costs as much as that.
      setImmediate(() => socket.write(`${JSON.stringify([number, acceptedAt])}\n`))
    })
  })
  rmSync(plan.socket, { force: true })
  server.listen(plan.socket)
  await new Promise<void>(resolve => context.signal.addEventListener('abort', () => resolve(), { once: true }))
  server.close()
}

export default plugin
