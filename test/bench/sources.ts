import { rename, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { baseAddress, changedAddress, endpointPort, type Plan, serviceName } from './plan.ts'

/** A registry filled with the plan, in which the bench makes changes. */
export interface BenchSource {
  /** The item of `sources` in isthmus.yaml, as YAML flow text. */
  readonly settings: string
  prepare(): Promise<void>
  /** Stops the registry's program, or lets it go on: so that a first sync is measured apart from the start of the gateway. */
  freeze?(on: boolean): void
  /** Change number `n` (from 1) on a service; resolves when the registry has answered. */
  change(n: number, service: number): Promise<void>
}

const leaseSeconds = 3600

/** VM registrations: agent "bench-S" holds slot S of every service; slot 0, which changes, belongs to a small agent of its own. */
export function vmSource(plan: Plan, url: string): BenchSource {
  const send = sender(url)
  const one = (service: number, address: string): object => ({
    name: serviceName(service),
    namespace: 'default',
    address,
    ports: [{ name: 'http', port: endpointPort }],
    health: 'healthy',
  })
  const register = (agent: string, services: readonly object[]): Promise<void> =>
    send('PUT', `/v1/registrations/${agent}`, { services, ttlSeconds: leaseSeconds })
  return {
    settings: '{ name: vms, type: vm }',
    async prepare() {
      for (let service = 0; service < plan.services; service++)
        await register(`mover-${String(service)}`, [one(service, baseAddress(plan, service, 0))])
      for (let slot = 1; slot < plan.endpoints; slot++) {
        const services = Array.from({ length: plan.services }, (_, service) => one(service, baseAddress(plan, service, slot)))
        await register(`bench-${String(slot)}`, services)
      }
    },
    change: (n, service) => register(`mover-${String(service)}`, [one(service, changedAddress(n))]),
  }
}

/** Consul: node "bench-S" holds slot S of every service, written straight to the catalog. */
export function consulSource(plan: Plan, url: string): BenchSource {
  const send = sender(url)
  const node = (slot: number): object => ({ Node: `bench-${String(slot)}`, Address: baseAddress(plan, 0, slot) })
  const instance = (service: number, slot: number, address: string): object => ({
    ID: `${serviceName(service)}-${String(slot)}`,
    Service: serviceName(service),
    Address: address,
    Port: endpointPort,
  })
  const budget = `watches: { maxConnections: ${String(plan.services + 50)} }`
  return {
    settings: `{ name: dc1, type: consul, address: "${url}", ${budget} }`,
    async prepare() {
      for (let slot = 0; slot < plan.endpoints; slot++) {
        await send('PUT', '/v1/catalog/register', node(slot))
        for (let first = 0; first < plan.services; first += 64) {
          const operations = []
          for (let service = first; service < Math.min(first + 64, plan.services); service++) {
            const address = baseAddress(plan, service, slot)
            operations.push({ Service: { Verb: 'set', Node: `bench-${String(slot)}`, Service: instance(service, slot, address) } })
          }
          await send('PUT', '/v1/txn', operations)
        }
      }
    },
    change: (n, service) =>
      send('PUT', '/v1/catalog/register', { ...node(0), SkipNodeUpdate: true, Service: instance(service, 0, changedAddress(n)) }),
  }
}

/** A file of endpoints, replaced as a whole by a rename, as a deployment script would. */
export function fileSource(plan: Plan, path: string): BenchSource {
  const text = (service: number, first: string): string => {
    const lines = [`  - name: ${serviceName(service)}\n    namespace: default\n    endpoints:\n`]
    for (let slot = 0; slot < plan.endpoints; slot++) {
      const address = slot === 0 ? first : baseAddress(plan, service, slot)
      lines.push(`      - { address: ${address}, port: ${String(endpointPort)} }\n`)
    }
    return lines.join('')
  }
  const services = Array.from({ length: plan.services }, (_, service) => text(service, baseAddress(plan, service, 0)))
  let writing = Promise.resolve()
  // One after the other: two writers of one file would take each other's place.
  const write = (): Promise<void> => {
    writing = writing.then(async () => {
      await writeFile(`${path}.next`, `services:\n${services.join('')}`)
      await rename(`${path}.next`, path)
    })
    return writing
  }
  return {
    settings: `{ name: legacy, type: file, path: "${path}" }`,
    prepare: write,
    async change(n, service) {
      services[service] = text(service, changedAddress(n))
      await write()
    },
  }
}

/** JSON over one connection that stays open; throws on any answer but 2xx. */
function sender(url: string): (method: string, path: string, body: unknown) => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body)
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      const sent = request(url + path, { method, agent, headers }, response => {
        let answer = ''
        response.on('data', data => (answer += String(data)))
        response.on('end', () => {
          const ok = response.statusCode !== undefined && response.statusCode < 300
          if (ok) resolve()
          else reject(new Error(`${method} ${path}: ${String(response.statusCode)} ${answer.slice(0, 200)}`))
        })
      })
      sent.on('error', reject)
      sent.end(text)
    })
}
