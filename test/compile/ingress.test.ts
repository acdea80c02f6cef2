import t from 'tap'
import { compiled, host, listener, mapping, object, Round, routeLines } from './fixtures.ts'

function ingress(name: string, spec: string, annotations: Readonly<Record<string, string>> = {}): string {
  const metadata = { name, namespace: 'shop', annotations }
  return `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: ${JSON.stringify(metadata)}\nspec: ${spec}\n`
}

function ingressClass(name: string, controller: string, annotations: Readonly<Record<string, string>> = {}): string {
  return `apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: ${JSON.stringify({ name, annotations })}\nspec: {controller: ${controller}}\n`
}

const backend = (name: string, port = 'number: 80') => `backend: {service: {name: ${name}, port: {${port}}}}`
const path = (type: string, value: string, name = 'web') => `{path: ${value}, pathType: ${type}, ${backend(name)}}`
const rule = (hostname: string, ...paths: readonly string[]) => `{host: "${hostname}", http: {paths: [${paths.join(', ')}]}}`
const rules = (...all: readonly string[]) => `{ingressClassName: ambassador, rules: [${all.join(', ')}]}`
const emissaryController = 'getambassador.io/ingress-controller'

t.test('Prefix ends at a segment, Exact comes first, ImplementationSpecific is a plain prefix; the path goes on as it came', t => {
  const paths = [
    path('Prefix', '/a', 'a'),
    path('Prefix', '/long/prefix/', 'b'),
    path('Exact', '/a', 'c'),
    path('ImplementationSpecific', '/a', 'd'),
    path('Prefix', '/', 'e'),
  ]
  const { table } = compiled([listener, ingress('web', rules(rule('', ...paths)))])
  t.strictSame(routeLines(table), [
    '=/a -> shop/c:80',
    '//long/prefix -> shop/b:80',
    '//a -> shop/a:80',
    '/a -> shop/d:80',
    '/ -> shop/e:80',
  ])
  for (const { action } of table.routeConfigs[0]?.virtualHosts[0]?.routes ?? [])
    t.notOk('rewrite' in action, 'the matched path is not cut off')
  t.end()
})

t.test('the annotation strip-path of an Ingress, or of its class, restores the way of Emissary', t => {
  const one = rules(rule('', path('Prefix', '/a')))
  const rewrites = (...documents: readonly string[]) =>
    compiled([listener, ...documents]).table.routeConfigs[0]?.virtualHosts[0]?.routes.map(route =>
      route.action.kind === 'forward' ? route.action.rewrite : 'redirect',
    )
  const strip = { 'isthmus.dev/strip-path': 'true' }
  t.strictSame(rewrites(ingress('a', one, strip)), ['/'])
  const cut = (written: string, more = {}) => {
    const { table } = compiled([listener, ingress('a', rules(rule('', path('Prefix', written))), { ...strip, ...more })])
    const action = table.routeConfigs[0]?.virtualHosts[0]?.routes[0]?.action
    return action?.kind === 'forward' ? action.regexRewrite?.pattern : undefined
  }
  // /a/b is to go on as /b, not as //b.
  t.strictSame([cut('/a'), cut('/a/'), cut('/a.b'), cut('/')], ['^/a/*', '^/a/*', '^/a\\.b/*', undefined])
  t.equal(cut('/a', { 'isthmus.dev/rewrite': '/x' }), undefined, 'its own rewrite counts')
  t.strictSame(rewrites(ingress('a', one), ingressClass('ambassador', emissaryController, strip)), ['/'])
  t.strictSame(rewrites(ingress('a', one, { 'isthmus.dev/strip-path': 'false' }), ingressClass('ambassador', emissaryController, strip)), [
    undefined,
  ])
  t.end()
})

t.test('a host is a virtual host of its own beside the Hosts that were written; a wildcard is one label', t => {
  const written = object('Host', 'other', '{hostname: other.example, requestPolicy: {insecure: {action: Route}}}')
  const one = ingress('web', rules(rule('a.example', path('Prefix', '/a')), rule('*.b.example', path('Prefix', '/b'))))
  const { table } = compiled([listener, written, one])
  t.strictSame(routeLines(table, 'a.example'), ['//a -> shop/web:80'])
  t.strictSame(routeLines(table, '*.b.example'), ['//b :authority~[^.]+\\.b\\.example(:[0-9]+)? -> shop/web:80'])
  t.strictSame(routeLines(table, 'other.example'), [], 'no route of the Ingress is on the other Host')
  t.end()
})

t.test('a Host that takes the name decides about cleartext', t => {
  const redirecting = object('Host', 'any', '{hostname: "*"}')
  const model = listener.replace('XFP', 'INSECURE')
  const { table } = compiled([model, redirecting, ingress('web', rules(rule('a.example', path('Prefix', '/'))))])
  t.match(routeLines(table), [/https-redirect/])
  t.end()
})

t.test('the default backend takes what nothing else does; Mappings and Ingresses share one order', t => {
  const spec = `{ingressClassName: ambassador, defaultBackend: {service: {name: rest, port: {name: http}}}}`
  const { table } = compiled([listener, host, mapping('m', 'hostname: "*", prefix: /m/, service: m'), ingress('web', spec)])
  t.strictSame(routeLines(table), ['/m/ -> default/m', '/ -> shop/rest:http'])
  t.end()
})

t.test('only Ingresses of a class of ours are served; the others say whose they are', t => {
  const spec = (name: string) => `{${name === '' ? '' : `ingressClassName: ${name}, `}rules: [${rule('', path('Prefix', '/'))}]}`
  const verdict = (document: string, ...classes: readonly string[]) => {
    const round = new Round()
    round.apply(listener, document, ...classes)
    return [round.status('Ingress', 'x'), ...round.notices('Ingress', 'x')].join('; ')
  }
  const old = (name: string) => ({ 'kubernetes.io/ingress.class': name })
  t.equal(verdict(ingress('x', spec('ambassador'))), 'accepted')
  t.equal(verdict(ingress('x', spec('isthmus'))), 'accepted')
  t.equal(verdict(ingress('x', spec('edge')), ingressClass('edge', emissaryController)), 'accepted')
  t.equal(verdict(ingress('x', spec(''), old('ambassador'))), 'accepted')
  t.equal(verdict(ingress('x', spec('ambassador'), old('nginx'))), 'ignored; is of the class nginx; ours are ambassador, isthmus')
  t.equal(verdict(ingress('x', spec('nginx'))), 'ignored; is of the class nginx; ours are ambassador, isthmus')
  t.equal(
    verdict(ingress('x', spec('nginx')), ingressClass('nginx', 'k8s.io/nginx')),
    'ignored; is of the class nginx; ours are ambassador, isthmus',
  )
  t.match(verdict(ingress('x', spec(''))), /^ignored; names no class and none of ours is the default/)
  const standard = { 'ingressclass.kubernetes.io/is-default-class': 'true' }
  t.equal(verdict(ingress('x', spec('')), ingressClass('edge', 'isthmus.dev/ingress-controller', standard)), 'accepted')
  const other = ingress('x', spec('ambassador'), { 'getambassador.io/ambassador-id': 'elsewhere' })
  t.match(verdict(other), /^ignored; is for the gateway elsewhere/)
  t.end()
})

t.test('an Ingress of another class that was ours is served no longer', t => {
  const round = new Round()
  const spec = (name: string) => `{ingressClassName: ${name}, rules: [${rule('', path('Prefix', '/'))}]}`
  round.apply(listener, ingress('x', spec('ambassador')))
  t.strictSame(routeLines(round.apply(listener, ingress('x', spec('nginx'))).table), [])
  t.end()
})

t.test('annotations of ours set the options of its Mappings', t => {
  const one = ingress('web', rules(rule('', path('Prefix', '/'))), {
    'isthmus.dev/timeout-ms': '5000',
    'isthmus.dev/rewrite': '/new/',
    'isthmus.dev/load-balancer': 'least_request',
    'isthmus.dev/timeout': '1',
  })
  const round = new Round()
  const { table } = round.apply(listener, one)
  t.match(table.routeConfigs[0]?.virtualHosts[0]?.routes[0]?.action, { timeoutMs: 5000, rewrite: '/new/' })
  t.match(table.clusters, [{ loadBalancing: 'least_request' }])
  t.match(round.notices('Ingress', 'web'), [/annotation isthmus\.dev\/timeout has no effect; did you mean "timeout-ms"/])
  t.end()
})

t.test('what is wrong with an Ingress is said at its place, and a bad edit leaves the last good version', t => {
  const good = rules(rule('', path('Prefix', '/')))
  const bad: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    [rules(rule('', path('Prefix', 'a'))), {}, /spec\.rules\[0\]\.http\.paths\[0\]\.path: must start with "\/"/],
    [rules(rule('', `{pathType: Exact, ${backend('a')}}`)), {}, /paths\[0\]\.path: is required with Exact/],
    [rules(rule('', path('prefix', '/'))), {}, /pathType: expected one of Exact, Prefix/],
    [rules(rule('a.*', path('Prefix', '/'))), {}, /rules\[0\]\.host: .*only the first label/],
    [rules(rule('', `{path: /, pathType: Prefix, ${backend('a', '')}}`)), {}, /backend\.service\.port: needs number or name/],
    [rules(rule('', '{path: /, pathType: Prefix, backend: {resource: {kind: Bucket, name: b}}}')), {}, /backend\.resource: .*not served/],
    [good, { 'isthmus.dev/timeout-ms': 'soon' }, /metadata\.annotations\.isthmus\.dev\/timeout-ms: expected a whole number/],
    [good, { 'isthmus.dev/resolver': 'nobody' }, /spec\.rules\[0\]\.http\.paths\[0\]: there is no resolver "nobody"/],
    [good, { 'isthmus.dev/strip-path': 'yes' }, /strip-path: must be "true" or "false"/],
  ]
  for (const [spec, annotations, reason] of bad) {
    const round = new Round()
    round.apply(listener, ingress('x', good))
    const { table } = round.apply(listener, ingress('x', spec, annotations))
    t.match(round.status('Ingress', 'x'), /^refused\+lastGood/, spec)
    t.match(round.status('Ingress', 'x'), reason)
    t.strictSame(routeLines(table), ['/ -> shop/web:80'], 'the last good version serves')
  }
  t.end()
})
