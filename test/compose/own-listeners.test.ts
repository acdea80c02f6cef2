import { networkInterfaces } from 'node:os'
import t from 'tap'
import { OwnListeners } from '../../src/compose/own-listeners.ts'
import type { RouteTable } from '../../src/ir/route-table.ts'

type Listeners = RouteTable['listeners']

/** Only address and port are looked at. */
function listeners(...places: readonly (readonly [string, number])[]): Listeners {
  return places.map(([address, port]) => ({ address, port })) as unknown as Listeners
}

t.test("an Envoy of ours listens at every address of the machine, or at the listener's own", t => {
  const own = new OwnListeners(() => ['127.0.0.1', '10.0.0.1'])
  t.ok(own.follow(listeners(['0.0.0.0', 8080], ['10.0.0.7', 9000])))
  t.ok(own.has('10.0.0.1', 8080))
  t.ok(own.has('127.0.0.1', 8080))
  t.ok(own.has('10.0.0.7', 9000))
  t.notOk(own.has('10.0.0.7', 8080))
  t.notOk(own.has('10.0.0.1', 9000))
  t.notOk(own.follow(listeners(['10.0.0.7', 9000], ['0.0.0.0', 8080])), 'nothing changed')
  t.ok(own.follow(listeners(['0.0.0.0', 8081])))
  t.notOk(own.has('10.0.0.1', 8080))
  t.end()
})

t.test('the addresses of this machine are known', t => {
  const own = new OwnListeners()
  own.follow(listeners(['0.0.0.0', 8080]))
  const first = Object.values(networkInterfaces()).flatMap(list => list ?? [])[0]
  t.ok(first !== undefined && own.has(first.address, 8080))
  t.end()
})
