import t from 'tap'
import { Round, host, listener, mapping, routeLines } from './fixtures.ts'

const part = (name: string, more: string) => mapping(name, `hostname: "*", prefix: /, service: ${name}${more}`)

t.test('an object that becomes invalid keeps serving as it was, and nothing else is touched', async t => {
  const round = new Round()
  round.apply(listener, host, part('a', ''), mapping('b', 'hostname: "*", prefix: /b, service: b'))
  for (const broken of [
    mapping('a', 'hostname: "*", prefix: /, service: a, weight: many'),
    mapping('a', 'hostname: "*", prefix: /, service: "a b"'),
    mapping('a', 'hostname: "*", prefix: /, service: other, resolver: nope'),
  ]) {
    const { table } = round.apply(listener, host, broken, mapping('b', 'hostname: "*", prefix: /b2, service: b'))
    t.same(routeLines(table), ['/b2 -> default/b', '/ -> default/a'])
    t.match(round.status('Mapping', 'a'), /^refused\+lastGood spec\./)
    t.equal(round.status('Mapping', 'b'), 'accepted')
  }
  const repaired = round.apply(listener, host, part('a', ', weight: 5'))
  t.same(routeLines(repaired.table), ['/ -> default/a'])
  t.equal(round.status('Mapping', 'a'), 'accepted')
  t.same(routeLines(round.apply(listener, host).table), [], 'a deleted object is gone')
  t.same(routeLines(round.apply(listener, host, part('a', ', nope: 1')).table), [], 'and so is its last good version')
})

t.test('an object that was never good is left out', async t => {
  const round = new Round()
  const { table } = round.apply(listener, host, part('a', ', nope: 1'), mapping('b', 'hostname: "*", prefix: /b, service: b'))
  t.same(routeLines(table), ['/b -> default/b'])
  t.match(round.status('Mapping', 'a'), /^refused spec\.nope/)
})

t.test('weights over 100 refuse every member and keep the last good split', async t => {
  const round = new Round()
  const bad = round.apply(listener, host, part('a', ', weight: 70'), part('b', ', weight: 40'))
  t.same(routeLines(bad.table), [], 'no split was ever good')
  t.match(round.status('Mapping', 'a'), /^refused spec\.weight: the weights of this Mapping and of Mapping default\/b add up to 110/)

  round.apply(listener, host, part('a', ', weight: 70'), part('b', ', weight: 30'))
  const good = ['/ 70% -> default/a', '/ -> default/b']
  const edited = round.apply(listener, host, part('a', ', weight: 90'), part('b', ', weight: 30'))
  t.same(routeLines(edited.table), good)
  for (const name of ['a', 'b']) t.match(round.status('Mapping', name), /^refused\+lastGood spec\.weight: .*add up to 120/)

  const joined = round.apply(listener, host, part('a', ', weight: 70'), part('b', ', weight: 30'), part('c', ', weight: 50'))
  t.same(routeLines(joined.table), good, 'a newcomer that breaks the sum does not take the others down')
  t.match(round.status('Mapping', 'c'), /^refused spec\.weight/)

  const repaired = round.apply(listener, host, part('a', ', weight: 90'), part('b', ', weight: 10'))
  t.same(routeLines(repaired.table), ['/ 90% -> default/a', '/ -> default/b'])
  t.equal(round.status('Mapping', 'b'), 'accepted')
})

t.test('a broken document keeps the objects that stood in its file', async t => {
  const round = new Round()
  round.apply(listener, host, part('a', ''))
  const { table } = round.apply(listener, host, 'kind: "Mapping\n')
  t.same(routeLines(table), ['/ -> default/a'])
  t.match(round.store.problems(), [{ code: 'manifest-unreadable', at: /^m\.yaml:\d+$/ }])
})
