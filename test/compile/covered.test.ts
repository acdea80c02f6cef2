import fc from 'fast-check'
import t from 'tap'
import { coveringRoutes, coveringSteps } from '../../src/ir/covered-routes.ts'
import type { IrMatch, IrRoute, IrValueMatch } from '../../src/ir/route-table.ts'
import { forward, match } from '../xds/generate/tables.ts'
import { host, listener, mapping, object, Round } from './fixtures.ts'

t.test('a Mapping that no request reaches says so, and names what comes before it', t => {
  const round = new Round()
  const notices = (...documents: readonly string[]) => {
    round.apply(listener, host, ...documents)
    return ['a', 'b'].map(name => round.notices('Mapping', name).join())
  }
  const first = 'hostname: "*", prefix: /, service: web, precedence: 1'
  const never = /^no request for \* reaches it: Mapping default\/a takes them all before/
  t.match(notices(mapping('a', first), mapping('b', 'hostname: "*", prefix: /shop/, service: shop')), ['', never])
  t.match(notices(mapping('a', first), mapping('b', 'hostname: "*", prefix: "/[a-z]+", prefix_regex: true, rewrite: "", service: shop')), [
    '',
    never,
  ])
  t.same(notices(mapping('a', `${first}, method: GET`), mapping('b', 'hostname: "*", prefix: /shop/, service: shop')), ['', ''])
  t.match(
    notices(
      mapping('a', `${first}, method: GET`),
      mapping('b', 'hostname: "*", prefix: /shop/, method: GET, headers: {x-a: b}, service: shop'),
    ),
    ['', never],
  )
  t.match(
    notices(
      mapping('a', `${first}, weight: 50`),
      mapping('c', `${first}, weight: 20`),
      mapping('b', 'hostname: "*", prefix: /shop/, service: shop'),
    ),
    ['', ''],
    'a split that leaves a rest',
  )
  const hosts = [object('Host', 'one', '{hostname: one.example}'), object('Host', 'two', '{hostname: two.example}')]
  round.apply(
    listener,
    ...hosts,
    mapping('a', 'hostname: one.example, prefix: /, service: web, precedence: 1'),
    mapping('b', 'hostname: "*", prefix: /shop/, service: shop'),
  )
  t.match(
    round.notices('Mapping', 'b'),
    [/^no request for one\.example reaches it/],
    'only where it is so; XFP Redirect has two routes each',
  )
  t.end()
})

const letters = fc.constantFrom('/', 'a', 'A', 'b')
const path = fc.array(letters, { maxLength: 4 }).map(parts => `/${parts.join('')}`)
const condition: fc.Arbitrary<IrValueMatch> = fc.record({
  name: fc.constantFrom('x', 'y'),
  kind: fc.constantFrom('exact' as const, 'present' as const),
  value: fc.constantFrom('1', '2'),
})
const anyMatch: fc.Arbitrary<IrMatch> = fc
  .record({
    kind: fc.constantFrom('prefix' as const, 'exact' as const, 'segments' as const),
    value: path,
    caseSensitive: fc.boolean(),
    headers: fc.array(condition, { maxLength: 2 }),
    percent: fc.option(fc.constant(50), { freq: 5 }),
  })
  .map(({ kind, value, caseSensitive, headers, percent }) => ({
    // As Envoy wants it: no slash at the end.
    path: { kind, value: kind === 'segments' ? `/s${value.replace(/\/+$/, '')}` : value, caseSensitive },
    ...{ headers, query: [], ...(percent === null ? {} : { percent }) },
  }))

function matches(
  { path: { kind, value, caseSensitive }, headers }: IrMatch,
  asked: string,
  has: Readonly<Record<string, string>>,
): boolean {
  const [text, wanted] = caseSensitive ? [asked, value] : [asked.toLowerCase(), value.toLowerCase()]
  const fits =
    kind === 'exact' ? text === wanted : kind === 'prefix' ? text.startsWith(wanted) : text === wanted || text.startsWith(`${wanted}/`)
  return fits && headers.every(({ name, kind, value }) => (kind === 'present' ? has[name] !== undefined : has[name] === value))
}

t.test('what is said to be covered is never reached, whatever is asked', t => {
  const header = fc.option(fc.constantFrom('1', '2'), { nil: undefined })
  fc.assert(
    fc.property(fc.array(anyMatch, { maxLength: 8 }), path, fc.boolean(), header, header, (list, asked, segment, x, y) => {
      const routes: IrRoute[] = list.map(one => forward(one, 'a'))
      const covering = coveringRoutes(routes)
      const has = { ...(x === undefined ? {} : { x }), ...(y === undefined ? {} : { y }) }
      const full = segment ? `/s${asked}` : asked
      for (const [index, one] of list.entries()) {
        const by = covering[index]
        if (by === undefined || !matches(one, full, has)) continue
        const before = list.findIndex(other => (other.percent ?? 100) === 100 && matches(other, full, has))
        if (before < 0 || before >= index || !matches(by.match, full, has)) return false
      }
      return true
    }),
    { numRuns: 2_000 },
  )
  t.same(
    coveringRoutes([forward(match('/'), 'a'), forward(match('~/x.*'), 'b')]).map(one => one === undefined),
    [true, false],
  )
  t.same(
    coveringRoutes([forward(match('~/.*'), 'a'), forward(match('/x'), 'b')]).map(one => one === undefined),
    [true, false],
  )
  t.end()
})

t.test('a virtual host with many routes is judged in many steps, as endpoints change meanwhile', async t => {
  const routes = Array.from({ length: 10_000 }, (_, index) => forward(match(`/p-${String(index)}/`), 'a'))
  const steps = coveringSteps(routes)
  let rests = 0
  while (steps.next().done !== true) rests++
  t.ok(rests >= 100, `${String(rests)} rests`)
})
