import fc from 'fast-check'
import t from 'tap'
import { ResourceCache } from '../../src/xds/cache.ts'
import { ResponseFramer } from '../../src/xds/frames.ts'
import { PushQueue } from '../../src/xds/push-queue.ts'
import type { ResourceType } from '../../src/xds/type-urls.ts'
import { ManualClock } from '../envoy/manual-clock.ts'
import { type Manner, ModelClient } from './model-client.ts'
import { contentOfResource, key, resource } from './resources.ts'

const types = ['cluster', 'endpoint', 'listener', 'route'] as const
const names = ['a', 'b', 'c', 'd']

/** A cache and clients beside it, all in memory. */
class World {
  readonly clock = new ManualClock()
  readonly cache = new ResourceCache({ clock: this.clock })
  readonly clients: readonly ModelClient[]
  readonly #deferred: (() => void)[] = []

  constructor(clients: readonly (readonly ['sotw' | 'delta', Manner])[]) {
    const queue = new PushQueue({ now: () => this.clock.now(), defer: task => this.#deferred.push(task) })
    const given = { cache: this.cache, framer: new ResponseFramer('test'), queue, clock: this.clock }
    this.clients = clients.map(([protocol, manner]) => new ModelClient(protocol, given, manner))
  }

  /** Lets scheduled pushes happen. */
  async turn(): Promise<void> {
    await Promise.resolve()
    for (const task of this.#deferred.splice(0)) task()
    await Promise.resolve()
  }

  /** Delivers everything until nothing is said any more; throws if that does not come to an end. */
  async settle(check: () => void = () => undefined): Promise<void> {
    for (let rounds = 0; ; rounds++) {
      if (rounds > 2_000) throw new Error('the talk does not end')
      await this.turn()
      let said = false
      for (const client of this.clients) {
        while (client.deliverRequest()) said = true
        if (client.deliverResponse()) said = true
        check()
      }
      if (!said) return
    }
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (let turn = 0; turn < 4; turn++) await this.turn()
  }

  end(): void {
    for (const client of this.clients) client.end()
    this.cache.close()
  }
}

type Command =
  | {
      readonly do: 'patch'
      readonly upsert: readonly { type: ResourceType; name: string; content: string; requires: readonly string[] }[]
      readonly remove: readonly string[]
    }
  | {
      readonly do: 'watch'
      readonly client: number
      readonly type: ResourceType
      readonly add: readonly string[]
      readonly drop: readonly string[]
    }
  | { readonly do: 'request' | 'response'; readonly client: number }
  | { readonly do: 'turn' }
  | { readonly do: 'advance'; readonly ms: number }

const anyType = fc.constantFrom<ResourceType>(...types)
const anyName = fc.constantFrom(...names)
const anyNames = fc.uniqueArray(anyName, { maxLength: 3 })
const requirable: Readonly<Record<string, readonly string[]>> = {
  cluster: names.map(name => `endpoint ${name}`),
  endpoint: [],
  listener: names.map(name => `route ${name}`),
  route: names.map(name => `cluster ${name}`),
}

function anyResource(contents: readonly string[]) {
  return anyType.chain(type =>
    fc.record({
      type: fc.constant(type),
      name: anyName,
      content: fc.constantFrom(...contents),
      requires: fc.subarray([...(requirable[type] ?? [])]),
    }),
  )
}

function anyCommand(clients: number, contents: readonly string[]): fc.Arbitrary<Command> {
  const client = fc.nat(clients - 1)
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('patch' as const),
        upsert: fc.uniqueArray(anyResource(contents), { maxLength: 4, selector: one => `${one.type} ${one.name}` }),
        remove: fc.uniqueArray(
          fc.tuple(anyType, anyName).map(([type, name]) => `${type} ${name}`),
          { maxLength: 2 },
        ),
      }),
    },
    {
      weight: 3,
      arbitrary: fc
        .record({
          do: fc.constant('watch' as const),
          client,
          type: anyType,
          add: anyNames,
          drop: anyNames,
          wild: fc.constantFrom('add', 'drop', 'no', 'no'),
        })
        .map(({ wild, ...one }) => {
          const star = wild !== 'no' && (one.type === 'cluster' || one.type === 'listener') ? ['*'] : []
          const add = wild === 'add' ? [...one.add, ...star] : one.add
          return { ...one, add, drop: [...one.drop, ...(wild === 'drop' ? star : [])].filter(name => !add.includes(name)) }
        }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('request' as const, 'response' as const), client }) },
    { weight: 4, arbitrary: fc.constant({ do: 'turn' as const }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1_000, 10_000, 30_000) }) },
  )
}

async function run(world: World, command: Command): Promise<void> {
  switch (command.do) {
    case 'patch': {
      const upserted = new Set(command.upsert.map(one => `${one.type} ${one.name}`))
      world.cache.patch({
        upsert: command.upsert.map(one => resource(`${one.type} ${one.name}`, [one.content, ...one.requires].join(), one.requires)),
        remove: command.remove.filter(id => !upserted.has(id)).map(key),
      })
      break
    }
    case 'watch':
      world.clients[command.client]?.watch(command.type, command.add, command.drop)
      break
    case 'request':
      world.clients[command.client]?.deliverRequest()
      break
    case 'response':
      world.clients[command.client]?.deliverResponse()
      break
    case 'turn':
      await world.turn()
      break
    case 'advance':
      await world.advance(command.ms)
  }
}

/** What of a client's picture is not what the cache says. */
function differences(world: World, client: ModelClient): string[] {
  return types.flatMap(type =>
    names.flatMap(name => {
      const found = client.has(type).get(name)
      const current = client.covers(type, name) ? world.cache.get(type, name) : undefined
      const wanted = current === undefined ? undefined : contentOfResource(current)
      if (found === wanted) return []
      // What it refuses stays as it was; whatever that is, it is not what it refused.
      if (wanted?.startsWith('bad') === true && found?.startsWith('bad') !== true) return []
      // State of the world has no word for the end of one of these (S4).
      if (current === undefined && client.protocol === 'sotw' && (type === 'endpoint' || type === 'route')) return []
      return [`${client.protocol} ${type} ${name}: has ${String(found)}, should have ${String(wanted)}`]
    }),
  )
}

const anyManner = fc.record({ appliesPart: fc.boolean(), namesCulprits: fc.boolean() })
const anyClients = fc.tuple(
  fc.tuple(fc.constant('sotw' as const), anyManner),
  fc.tuple(fc.constant('delta' as const), anyManner),
  fc.tuple(fc.constantFrom('delta' as const, 'sotw' as const), anyManner),
)

async function converges(
  t: { same(found: unknown, wanted: unknown, message: string): boolean },
  contents: readonly string[],
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(anyClients, fc.array(anyCommand(3, contents), { maxLength: 60, size: 'max' }), async (clients, commands) => {
      const world = new World(clients)
      try {
        for (const command of commands) await run(world, command)
        await world.settle()
        for (const client of world.clients) if (!t.same(differences(world, client), [], 'in time')) return false
        await world.advance(31_000)
        await world.settle()
        for (const client of world.clients) if (!t.same(differences(world, client), [], 'when all waits are over')) return false
        if (!t.same(world.cache.retirement.waiting, 0, 'nothing is retired any more')) return false
        const before = world.clients.map(client => client.responses)
        world.cache.patch({ upsert: types.flatMap(type => [...world.cache.all(type)]), remove: [] })
        await world.settle()
        if (
          !t.same(
            world.clients.map(client => client.responses),
            before,
            'C18: nothing changed, nothing said',
          )
        )
          return false
        if (
          !t.same(
            world.clients.flatMap(client => client.twice),
            [],
            'C14: no name twice',
          )
        )
          return false
      } finally {
        world.end()
      }
      return t.same(world.cache.kept, { watches: 0, uses: 0 }, 'L8: nothing is kept for streams that ended')
    }),
    { numRuns: Number(process.env['RUNS'] ?? 150) },
  )
}

/** Takes results without reporting each. */
const quiet = {
  same: (found: unknown, wanted: unknown, message: string): boolean => {
    const equal = JSON.stringify(found) === JSON.stringify(wanted)
    if (!equal) throw new Error(`${message}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
    return true
  },
}

t.test('every client ends with what the cache holds, whatever crosses on the way', async () => {
  await converges(quiet, ['1', '2', '3'])
})

t.test('C13: so it is when clients refuse resources, for all that they do not refuse', async () => {
  await converges(quiet, ['1', '2', 'bad-1', 'bad-2'])
})

type Wanted = Readonly<Record<string, readonly string[]>>

/** The patch from one consistent configuration of routes, each to clusters with their assignments, to the next. */
function patchBetween(before: Wanted, after: Wanted, salt: number) {
  const clusters = (wanted: Wanted) => new Set(Object.values(wanted).flat())
  const [old, now] = [clusters(before), clusters(after)]
  return {
    upsert: [
      ...Object.entries(after).map(([name, to]) =>
        resource(
          `route ${name}`,
          to.join('+'),
          to.map(cluster => `cluster ${cluster}`),
        ),
      ),
      ...[...now].map(name => resource(`cluster ${name}`, '1', [`endpoint ${name}`])),
      ...[...now].map(name => resource(`endpoint ${name}`, String(name === 'a' ? salt : 1))),
    ],
    remove: [
      ...Object.keys(before)
        .filter(name => !(name in after))
        .map(name => key(`route ${name}`)),
      ...[...old].filter(name => !now.has(name)).flatMap(name => [key(`cluster ${name}`), key(`endpoint ${name}`)]),
    ],
  }
}

t.test('O2 O3: no client ever has a route to a cluster that it does not have', async () => {
  const anyWanted = fc.dictionary(fc.constantFrom('r', 's'), fc.uniqueArray(anyName, { minLength: 1, maxLength: 2 }), { maxKeys: 2 })
  const step = fc.oneof(
    { weight: 2, arbitrary: anyWanted },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('request' as const, 'response' as const), client: fc.nat(2) }) },
    { weight: 3, arbitrary: fc.constant({ do: 'turn' as const }) },
  )
  await fc.assert(
    fc.asyncProperty(anyClients, fc.array(step, { maxLength: 80, size: 'max' }), async (clients, steps) => {
      const world = new World(clients)
      const check = (): void => {
        for (const client of world.clients) {
          const have = client.has('cluster')
          for (const [route, to] of client.has('route')) {
            for (const cluster of to.split('+'))
              if (!have.has(cluster)) throw new Error(`${client.protocol}: ${route} → ${to}, has ${[...have.keys()].join()}`)
          }
        }
      }
      try {
        for (const client of world.clients) {
          client.watch('cluster', ['*'], [])
          client.watch('endpoint', names, [])
          client.watch('route', ['r', 's'], [])
        }
        let wanted: Wanted = {}
        let salt = 0
        for (const one of steps) {
          if ('do' in one && typeof one.do === 'string') await run(world, one)
          else {
            world.cache.patch(patchBetween(wanted, one, ++salt))
            wanted = one
          }
          check()
        }
        await world.settle(check)
        for (const client of world.clients) quiet.same(differences(world, client), [], 'in the end')
      } finally {
        world.end()
      }
    }),
    { numRuns: Number(process.env['RUNS'] ?? 150) },
  )
})
