import t from 'tap'
import { Gating } from '../../src/xds/gating.ts'
import type { Resource, ResourceKey } from '../../src/xds/resource.ts'
import { Subscription, type View } from '../../src/xds/subscription.ts'
import type { ResourceType } from '../../src/xds/type-urls.ts'
import { key, resource } from './resources.ts'

const nobody = { hold: () => undefined, release: () => undefined }

/** A stream with Delta subscriptions, what is served, and a clock. */
class Setting {
  now = 0
  readonly gaveUp: string[] = []
  readonly subscriptions = new Map<ResourceType, Subscription>()
  readonly served = new Map<string, Resource>()
  readonly gating = new Gating(
    {
      subscription: type => this.subscriptions.get(type),
      current: ({ type, name }: ResourceKey) => this.served.get(`${type} ${name}`),
      now: () => this.now,
      gaveUp: ({ type, name }) => this.gaveUp.push(`${type} ${name}`),
    },
    10_000,
  )

  serve(...resources: readonly Resource[]): this {
    for (const one of resources) this.served.set(`${one.type} ${one.name}`, one)
    return this
  }

  #view(type: ResourceType): View {
    const all = (): Resource[] => [...this.served.values()].filter(one => one.type === type)
    return { get: name => this.served.get(`${type} ${name}`), all, good: () => undefined, held: () => false }
  }

  /** The client asks for a name and is answered; `error`: it refuses the answer. */
  ask(id: string, answer: 'nothing' | 'ack' | 'refuse'): this {
    const { type, name } = key(id)
    const subscription = this.subscriptions.get(type) ?? new Subscription(type, 'delta', nobody)
    this.subscriptions.set(type, subscription)
    const base = { protocol: 'delta', node: undefined, typeUrl: '', unsubscribe: [], initialVersions: new Map<string, string>() } as const
    subscription.delta({ ...base, subscribe: [name], nonce: '', error: undefined }, this.#view(type))
    const nonce = `${id} ${String(this.now)}`
    subscription.next(this.#view(type), () => nonce)
    const error = answer === 'refuse' ? { code: 13, message: 'no' } : undefined
    if (answer !== 'nothing') subscription.delta({ ...base, subscribe: [], nonce, error }, this.#view(type))
    return this
  }
}

const route = resource('route r', 'v1', ['cluster a'])
const cluster = resource('cluster a', 'v1', ['endpoint a'])

t.test('O3 a route waits for the ACK of its cluster', async t => {
  const setting = new Setting().serve(route, cluster).ask('cluster a', 'nothing')
  t.ok(setting.gating.held(route))
  t.notOk(setting.gating.held(resource('route other')), 'what requires nothing never waits')
})

t.test('O3 and goes once the cluster is acknowledged', async t => {
  const setting = new Setting().serve(route, cluster).ask('cluster a', 'ack')
  t.notOk(setting.gating.held(route))
})

t.test('O3 a cluster whose assignment was not acknowledged still warms: the route waits for that, too', async t => {
  const setting = new Setting().serve(route, cluster, resource('endpoint a')).ask('cluster a', 'ack').ask('endpoint b', 'nothing')
  t.ok(setting.gating.held(route))
  setting.subscriptions.delete('endpoint')
  t.notOk(setting.gating.held(route), 'unless this stream carries no assignments')
  t.notOk(new Setting().serve(route, cluster).ask('cluster a', 'ack').ask('endpoint b', 'nothing').gating.held(route), 'or there is none')
})

t.test('what the client does not watch, what does not exist and what it refused is not waited for', async t => {
  t.notOk(new Setting().serve(route, cluster).gating.held(route), 'no subscription to clusters')
  t.notOk(new Setting().serve(route, cluster).ask('cluster b', 'nothing').gating.held(route), 'a subscription to others')
  t.notOk(new Setting().serve(route).ask('cluster a', 'nothing').gating.held(route), 'no such cluster')
  t.notOk(
    new Setting().serve(route, cluster).ask('cluster a', 'refuse').gating.held(route),
    'a refused cluster: one bad object stops no other',
  )
})

t.test('O1, O7 only what goes before it on the wire holds a resource back', async t => {
  const endpoint = resource('endpoint a')
  t.notOk(new Setting().serve(cluster, endpoint).ask('endpoint a', 'nothing').gating.held(cluster), 'a cluster goes before its assignment')
  const listener = resource('listener l', 'v1', ['route r'])
  t.notOk(new Setting().serve(listener, route).ask('route r', 'nothing').gating.held(listener), 'a listener before its routes')
  const direct = resource('listener l', 'v1', ['cluster a'])
  t.ok(new Setting().serve(direct, cluster).ask('cluster a', 'nothing').gating.held(direct), 'but not before a cluster that it names')
})

t.test('the wait is bounded, counted, and not begun again for the same want', async t => {
  const setting = new Setting().serve(route, cluster).ask('cluster a', 'nothing')
  t.equal(setting.gating.deadline, undefined)
  t.ok(setting.gating.held(route))
  t.equal(setting.gating.deadline, 10_000)
  setting.now = 9_999
  const changed = resource('route r', 'v2', ['cluster a'])
  t.ok(setting.gating.held(changed), 'a newer version goes on with the same wait')
  setting.now = 10_000
  t.notOk(setting.gating.held(changed))
  t.same(setting.gaveUp, ['route r'])
  t.equal(setting.gating.deadline, undefined)
  t.notOk(setting.gating.held(resource('route r', 'v3', ['cluster a'])), 'the next version does not wait for it again')
  setting.gating.acknowledged(cluster)
  t.ok(setting.gating.held(resource('route r', 'v4', ['cluster a'])), 'until it was acknowledged once')
})

t.test('waits of resources that nobody asks about any more are forgotten', async t => {
  const setting = new Setting().serve(route, cluster).ask('cluster a', 'nothing')
  setting.gating.held(route)
  setting.gating.prune()
  t.equal(setting.gating.deadline, 10_000)
  setting.now = 10_000
  setting.gating.prune()
  t.equal(setting.gating.deadline, undefined)
})

t.test('of many requirements the one that blocks is remembered, others are still looked at', async t => {
  const wide = resource('route r', 'v1', ['cluster a', 'cluster b'])
  const setting = new Setting().serve(wide, cluster, resource('cluster b')).ask('cluster a', 'nothing').ask('cluster b', 'nothing')
  t.ok(setting.gating.held(wide))
  setting.ask('cluster a', 'ack')
  t.ok(setting.gating.held(wide), 'b is still missing')
})
