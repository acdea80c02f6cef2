import type { Holder } from '../../src/xds/copies.ts'
import type { Verdict } from '../../src/xds/delivery.ts'
import { makeResource, type Resource } from '../../src/xds/resource.ts'
import { Subscription, type View } from '../../src/xds/subscription.ts'
import type { ResourceType } from '../../src/xds/type-urls.ts'

/** A resource whose content is a number: `A2` is A with content 2. */
function numbered(type: ResourceType, text: string): Resource {
  const [, name = text, content = ''] = /^(.*?)(\d*)$/.exec(text) ?? []
  return makeResource(type, name, Buffer.from(content))
}

const contents = new Map<string, string>(
  Array.from({ length: 10 }, (_, content) => [numbered('cluster', `A${String(content)}`).version, String(content)]),
)

/**
 * A subscription driven by short texts, so that tests are tables. What the client sends:
 * `names A B *` (state of the world: acknowledges and names), `ask +A -B` (Delta, no nonce), `has A1 B1; +A` (Delta, first after a reconnect),
 * `ack`, `ack +B` (with changes), `nack TEXT`, `nack TEXT; +B`, `stale …` (as `names` or `ask`, with the nonce before the last).
 * What happens at the server: `put A2 B1`, `del A`, `hold A`, `free A`, `good A1`, `expire`, `resend A`.
 * Each step gives what goes out: `A1 B1 -C`, `empty`, or `-` for silence.
 */
export class Machine {
  readonly subscription: Subscription
  readonly held = new Map<Resource, number>()
  verdict: Verdict = { kind: 'none' }
  readonly #type: ResourceType
  readonly #resources = new Map<string, Resource>()
  readonly #waiting = new Set<string>()
  readonly #good = new Map<string, Resource>()
  readonly #nonces: string[] = []
  #names: string[] = []

  constructor(type: ResourceType, protocol: 'sotw' | 'delta') {
    this.#type = type
    const holder: Holder = {
      hold: resource => this.held.set(resource, (this.held.get(resource) ?? 0) + 1),
      release: resource => {
        const left = (this.held.get(resource) ?? 0) - 1
        if (left === 0) this.held.delete(resource)
        else this.held.set(resource, left)
      },
    }
    this.subscription = new Subscription(type, protocol, holder)
  }

  get #view(): View {
    return {
      get: name => this.#resources.get(name),
      all: () => this.#resources.values(),
      good: name => this.#good.get(name),
      held: resource => this.#waiting.has(resource.name),
    }
  }

  step(text: string): string {
    const [verb = '', ...words] = text.split(' ')
    switch (verb) {
      case 'put':
        for (const word of words) this.#put(numbered(this.#type, word))
        break
      case 'del':
        for (const name of words) {
          this.#resources.delete(name)
          this.subscription.changed(name)
        }
        break
      case 'hold':
        for (const name of words) this.#waiting.add(name)
        break
      case 'free':
        for (const name of words) this.#waiting.delete(name)
        break
      case 'good':
        for (const word of words) this.#good.set(numbered(this.#type, word).name, numbered(this.#type, word))
        break
      case 'expire':
        this.subscription.expire()
        break
      case 'resend':
        for (const name of words) this.subscription.resend(name)
        break
      default:
        this.#request(verb, words.join(' '))
    }
    return this.#next()
  }

  #put(resource: Resource): void {
    this.#resources.set(resource.name, resource)
    this.subscription.changed(resource.name)
  }

  #request(verb: string, text: string): void {
    const nonce = verb === 'ask' || verb === 'has' ? '' : (this.#nonces.at(verb === 'stale' ? -2 : -1) ?? '')
    const error = verb === 'nack' ? { code: 13, message: text.split(';')[0] ?? '' } : undefined
    const base = { node: undefined, typeUrl: '', nonce, error }
    const changes = verb === 'nack' || verb === 'has' ? (text.split(';')[1]?.trim() ?? '') : text
    const words = changes.split(' ').filter(word => word !== '')
    if (this.subscription.protocol === 'sotw') {
      if (verb === 'names' || verb === 'stale' || words.length > 0) this.#names = words
      this.verdict = this.subscription.sotw({ ...base, protocol: 'sotw', version: '', names: this.#names }, this.#view).verdict
      return
    }
    const told = verb === 'has' ? (text.split(';')[0] ?? '').split(' ').filter(word => word !== '') : []
    const initialVersions = new Map(told.map(word => [numbered(this.#type, word).name, numbered(this.#type, word).version]))
    const signed = (sign: string): string[] => words.filter(word => word.startsWith(sign)).map(word => word.slice(1))
    const request = { ...base, protocol: 'delta', subscribe: signed('+'), unsubscribe: signed('-'), initialVersions } as const
    this.verdict = this.subscription.delta(request, this.#view).verdict
  }

  #next(): string {
    const sent = this.subscription.next(this.#view, () => {
      const nonce = String(this.#nonces.length + 1)
      this.#nonces.push(nonce)
      return nonce
    })
    if (sent === undefined) return '-'
    const names = [...sent.resources.map(one => one.name), ...sent.removed]
    if (new Set(names).size !== names.length) throw new Error(`a name occurs twice (C14): ${names.join(' ')}`)
    const words = [
      ...sent.resources.map(one => one.name + (contents.get(one.version) ?? '?')).sort(),
      ...sent.removed.map(name => `-${name}`).sort(),
    ]
    return words.length === 0 ? 'empty' : words.join(' ')
  }
}

/** One rule: what is done and what goes out, in turn. */
export interface Rule {
  readonly rule: string
  readonly type: ResourceType
  /** Served from the start. */
  readonly with?: string
  readonly steps: readonly (readonly [action: string, out: string])[]
}

/** Runs a rule; gives what went out beside what should have. */
export function play(
  rule: Rule,
  protocol: 'sotw' | 'delta',
): { readonly found: string[]; readonly wanted: string[]; readonly machine: Machine } {
  const machine = new Machine(rule.type, protocol)
  if (rule.with !== undefined) machine.step(`put ${rule.with}`)
  const found = rule.steps.map(([action]) => `${action} → ${machine.step(action)}`)
  return { found, wanted: rule.steps.map(([action, out]) => `${action} → ${out}`), machine }
}
