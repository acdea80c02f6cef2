import t from 'tap'
import { compiled, host, listener, mapping, object, Round, routeLines } from './fixtures.ts'

const subsets = 'subsets: [{name: a, match: {v: "1"}, fallback: b}, {name: b, match: {v: "2"}, fallback: any}, {name: c, match: {v: "3"}}]'
const pool = object('ServicePool', 'shop/pay', `{members: [{vm: {service: pay}}], ${subsets}}`)
const route = (service: string) => mapping('web', `prefix: /, hostname: "*", service: "${service}"`)

t.test('`service: NAME#SUBSET` is a cluster and an assignment of its own, with the steps it falls back to', async t => {
  const { table } = compiled([listener, host, pool, route('pay.shop:http#a')])
  t.same(routeLines(table), ['/ -> shop/pay:http#a'])
  t.match(table.clusters, [{ assignment: { name: 'shop/pay:http#a', subset: [{ v: '1' }, { v: '2' }, 'any'] } }])
  t.match(compiled([listener, host, pool, route('pay.shop#c')]).table.clusters, [{ assignment: { subset: [{ v: '3' }] } }])
})

t.test('a subset that is not there refuses the route that names it', async t => {
  const status = (service: string) => {
    const round = new Round()
    round.apply(listener, host, pool, route(service))
    return round.status('Mapping', 'web')
  }
  t.match(status('pay.shop#d'), /spec.service: the ServicePool has no subset "d"; .*a/)
  t.match(status('other#a'), /there is no ServicePool of this name/)
  t.match(status('10.0.0.1#a'), /there is no ServicePool of this name/)
})
