import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from './stage.ts'

/** Who answers, by registry. */
export interface Answers {
  readonly byInstance: ReadonlyMap<string, number>
  readonly failed: number
}

/** Sends `count` requests through Envoy, one after the other. */
export async function ask(stage: Stage, count: number): Promise<Answers> {
  const byInstance = new Map<string, number>()
  let failed = 0
  for (let i = 0; i < count; i++) {
    const instance = await askOnce(stage)
    if (instance === undefined) failed++
    else byInstance.set(instance, (byInstance.get(instance) ?? 0) + 1)
  }
  return { byInstance, failed }
}

/** The name of the instance that answered one request, or undefined if none did. */
async function askOnce(stage: Stage): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${String(stage.ports.http)}/hello/`)
    const body: unknown = response.ok ? await response.json() : await response.arrayBuffer()
    return typeof body === 'object' && body !== null && 'instance' in body ? String(body.instance) : undefined
  } catch {
    // Envoy is not listening yet: no answer, which the caller counts.
    return undefined
  }
}

/** Waits until each of the instances has answered a request, at most 30 s; gives those that did not. */
export async function untilAllAnswer(stage: Stage, names: readonly string[]): Promise<readonly string[]> {
  const missing = new Set(names)
  const deadline = performance.now() + 30_000
  while (missing.size > 0 && performance.now() < deadline) {
    const instance = await askOnce(stage)
    if (instance === undefined) await sleep(50)
    else missing.delete(instance)
  }
  return [...missing]
}

export interface Move {
  /** From Consul's answer to the registration until Envoy had the new address, ms. */
  readonly toEnvoyMs: number
  readonly from: number
  readonly to: number
}

/** Moves the instance consul-1 to another port, as a rescheduled service would, and watches Envoy for it, at most 10 s. */
export async function moveInstance(stage: Stage, oldPort: number): Promise<Move> {
  const to = await stage.sample('consul-1 (moved)')
  await untilEnvoyHas(stage, oldPort)
  await stage.consul.register('consul-1', to)
  const registeredAt = performance.now()
  await untilEnvoyHas(stage, to)
  return { toEnvoyMs: performance.now() - registeredAt, from: oldPort, to }
}

/** Asks Envoy's own admin interface, again and again, whether it knows the endpoint. */
async function untilEnvoyHas(stage: Stage, port: number): Promise<void> {
  const deadline = performance.now() + 10_000
  while (performance.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${String(stage.ports.envoyAdmin)}/clusters`)
    if ((await response.text()).includes(`127.0.0.1:${String(port)}::`)) return
  }
  throw new Error(`Envoy did not learn of 127.0.0.1:${String(port)} within 10 s`)
}
