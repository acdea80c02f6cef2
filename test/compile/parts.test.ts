import fc from 'fast-check'
import t from 'tap'
import { consulAddress } from '../../src/compile/emissary/consul-address.ts'
import { authorityRegex, covers, overlaps } from '../../src/compile/emissary/host-glob.ts'
import { selects, selectorText } from '../../src/compile/emissary/selector.ts'
import { parseServiceName } from '../../src/compile/emissary/service-name.ts'
import { splitWeights } from '../../src/compile/emissary/weights.ts'
import { durationMs } from '../../src/manifests/check-values.ts'

t.test('service: [scheme://]name[.namespace][:port]', async t => {
  const good: readonly (readonly [string, string, boolean, number | string | undefined, string?])[] = [
    ['web', 'web', false, undefined],
    ['web.shop', 'web.shop', false, undefined],
    ['web:8080', 'web', false, 8080],
    ['web:http', 'web', false, 'http'],
    ['web.shop.svc.cluster.local:http-admin', 'web.shop.svc.cluster.local', false, 'http-admin'],
    ['http://web:80', 'web', false, 80],
    ['HTTPS://Web', 'Web', false, undefined, 'https'],
    ['Legacy_App', 'Legacy_App', false, undefined],
    ['10.0.0.1', '10.0.0.1', true, undefined],
    ['10.0.0.1:81', '10.0.0.1', true, 81],
    ['::1', '::1', true, undefined],
    ['[FD00::1]:81', 'fd00::1', true, 81],
  ]
  for (const [text, name, isAddress, port, scheme = 'http'] of good) t.same(parseServiceName(text), { scheme, name, isAddress, port }, text)
  const bad: readonly (readonly [string, RegExp])[] = [
    ['', /no service name/],
    ['tcp://web', /unknown scheme tcp/],
    ['http://web/path', /more than a name and a port/],
    ['user@web', /more than a name and a port/],
    ['web:0', /no port/],
    ['web:65536', /no port/],
    ['web:', /no port/],
    ['web:a b', /no port/],
    ['a:b:c', /"b:c" is no port/],
    ['web..shop', /no service name/],
    ['.web', /no service name/],
    ['we b', /no service name/],
    ['[web]:80', /in brackets is no IPv6 address/],
    ['10.0.0.300', /neither an IPv4 address nor a name/],
  ]
  for (const [text, reason] of bad) t.match(parseServiceName(text), reason, text)
})

t.test('weights: written ones as they are, the others share the rest, a lone member gets all', async t => {
  const weights = (...given: (number | undefined)[]) => {
    const shares = splitWeights(given)
    return 'sum' in shares ? shares : shares.map(share => share.weight)
  }
  t.same(weights(undefined), [100])
  t.same(weights(30), [100])
  t.same(weights(30, undefined), [30, 70])
  t.same(weights(30, 70), [30, 70])
  t.same(weights(undefined, undefined, undefined), [33, 34, 33])
  t.same(weights(100, undefined), [100, 0])
  t.same(weights(0, undefined), [0, 100])
  t.same(weights(10, 20), [10, 20])
  t.same(weights(60, 50), { sum: 110 })
})

t.test('weights: whatever is written, Envoy’s sequence of running sums gives every member exactly its share', async () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }), { minLength: 2, maxLength: 8 }), given => {
      const sum = given.reduce<number>((total, weight) => total + (weight ?? 0), 0)
      const shares = splitWeights(given)
      if ('sum' in shares) return sum > 100 && shares.sum === sum
      const taken = shares.map(() => 0)
      for (let draw = 0; draw < 100; draw++) {
        const index = shares.findIndex(share => draw < share.upTo)
        if (index >= 0) taken[index] = (taken[index] ?? 0) + 1
      }
      const free = given.filter(weight => weight === undefined).length
      const even = (100 - sum) / free
      return (
        sum <= 100 &&
        shares.every((share, index) => {
          const written = given[index]
          return taken[index] === share.weight && (written === undefined ? Math.abs(share.weight - even) <= 1 : share.weight === written)
        }) &&
        taken.reduce((total, one) => total + one, 0) === (free > 0 ? 100 : sum)
      )
    }),
  )
})

t.test('host globs match both ways', async t => {
  const pairs: readonly (readonly [string, string, boolean, boolean])[] = [
    // a, b, a covers b, a and b overlap
    ['*', 'a.example.com', true, true],
    ['a.example.com', '*', false, true],
    ['*.example.com', 'a.example.com', true, true],
    ['*.example.com', 'a.b.example.com', true, true],
    ['*.example.com', 'example.com', false, false],
    ['*.example.com', '*.b.example.com', true, true],
    ['*.b.example.com', '*.example.com', false, true],
    ['*.example.com', '*.example.org', false, false],
    ['a.*', 'a.example.com', true, true],
    ['a.*', 'ab.example.com', false, false],
    ['a.*', '*.example.com', false, true],
    ['*.example.com', 'a.*', false, true],
    ['a.*', '*', false, true],
    ['a.example.com', 'b.example.com', false, false],
  ]
  for (const [a, b, covered, overlapping] of pairs) {
    t.equal(covers(a, b), covered, `${a} covers ${b}`)
    t.equal(overlaps(a, b), overlapping, `${a} overlaps ${b}`)
    t.equal(overlaps(b, a), overlapping, `${b} overlaps ${a}`)
  }
  const matches = (glob: string, authority: string) =>
    new RegExp(`^(?:${authorityRegex(glob)?.replace('(?i)', '') ?? ''})$`, 'i').test(authority)
  t.ok(matches('a.example.com', 'A.example.com'))
  t.ok(matches('a.example.com', 'a.example.com:8080'))
  t.notOk(matches('a.example.com', 'aXexample.com'))
  t.ok(matches('*.example.com', 'a.b.example.com:1'))
  t.notOk(matches('*.example.com', 'example.com'))
  t.ok(matches('a.*', 'a.example.com'))
  t.equal(authorityRegex('*'), undefined)
})

t.test('label selectors as in Kubernetes', async t => {
  const labels = { app: 'web', tier: 'front' }
  t.ok(selects({ matchLabels: { app: 'web' } }, labels))
  t.notOk(selects({ matchLabels: { app: 'web', tier: 'back' } }, labels))
  t.ok(selects({ matchExpressions: [{ key: 'app', operator: 'In', values: ['api', 'web'] }] }, labels))
  t.notOk(selects({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, labels))
  t.ok(selects({ matchExpressions: [{ key: 'none', operator: 'NotIn', values: ['web'] }] }, labels))
  t.ok(selects({ matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, labels))
  t.notOk(selects({ matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, labels))
  t.notOk(selects({ matchLabels: { constructor: 'x' } }, labels))
  t.equal(selectorText({ matchLabels: { b: '2', a: '1' } }), 'a=1,b=2')
})

t.test('Consul addresses have one canonical form, with the environment put in', async t => {
  const environment = { CONSUL: 'consul.corp', PORT: '8600' }
  const read = (text: string) => {
    const result = consulAddress(text, environment)
    return 'url' in result ? result.url : result.problem
  }
  t.equal(read('127.0.0.1'), 'http://127.0.0.1:8500')
  t.equal(read('Consul.Corp:80'), 'http://consul.corp:80')
  t.equal(read('https://consul.corp'), 'https://consul.corp:8500')
  t.equal(read('https://consul.corp:443/'), 'https://consul.corp:443')
  t.equal(read('$CONSUL:${PORT}'), 'http://consul.corp:8600')
  t.equal(read('[::1]:8500'), 'http://[::1]:8500')
  t.match(read('$MISSING:1'), /the environment has no MISSING/)
  t.match(read('ftp://x'), /scheme ftp is not spoken/)
  t.match(read('http://x/path'), /scheme, host and port only/)
  t.match(read('a b'), /no address of a Consul agent/)
  t.match(read('x:99999'), /no address of a Consul agent/)
})

t.test('durations', async t => {
  t.equal(durationMs('1h30m'), 5_400_000)
  t.equal(durationMs('1.5s'), 1_500)
  t.equal(durationMs('300ms'), 300)
})
