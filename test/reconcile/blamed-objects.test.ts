import t from 'tap'
import type { IrHttpOptions } from '../../src/ir/http-options.ts'
import { emptyRouteTable, type IrCluster, type IrListener, type IrRoute, type IrRouteConfig } from '../../src/ir/route-table.ts'
import { refText } from '../../src/model/object-ref.ts'
import { blamedObjects } from '../../src/reconcile/blamed-objects.ts'
import { generateCluster } from '../../src/xds/generate/cluster.ts'
import { generateListener } from '../../src/xds/generate/listener.ts'
import { generateRouteConfig } from '../../src/xds/generate/route-config.ts'

const ref = (name: string, kind = 'Mapping') => ({ kind, namespace: 'default', name, at: 'a.yaml:1' })

function route(name: string, value: string, kind: 'prefix' | 'regex' = 'prefix'): IrRoute {
  return {
    match: { path: { kind, value, caseSensitive: true }, headers: [], query: [] },
    action: { kind: 'redirect', host: 'www.example', code: 301 },
    origins: [ref(name)],
  }
}

function config(...routes: readonly IrRoute[]): IrRouteConfig {
  return { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes, origin: ref('any', 'Host') }] }
}

const cluster: IrCluster = {
  ...{ kind: 'static', name: 'c', statName: 'c', address: '127.0.0.1', port: 80 },
  ...{ loadBalancing: 'round_robin', connectTimeoutMs: 3000, origins: [ref('one'), ref('two')] },
}

const cases: readonly {
  readonly rule: string
  readonly had?: IrRouteConfig
  readonly refused: IrRouteConfig
  readonly text?: string
  readonly blamed: readonly string[]
}[] = [
  {
    rule: 'of a route configuration those whose routes differ from what the Envoy has',
    had: config(route('a', '/a/'), route('b', '/b/')),
    refused: config(route('a', '/a/'), route('b', '/b2/'), route('c', '/c/')),
    blamed: ['Mapping default/b', 'Mapping default/c'],
  },
  {
    rule: 'all of them at an Envoy that has nothing',
    refused: config(route('a', '/a/'), route('b', '/b/')),
    blamed: ['Mapping default/a', 'Mapping default/b'],
  },
  {
    rule: 'one whose regular expression is quoted, be it as old as the rest',
    refused: config(route('a', '/a/'), route('b', '/b[0-9]', 'regex')),
    text: "regex '/b[0-9]' is too large",
    blamed: ['Mapping default/b'],
  },
  {
    rule: 'nobody when only something went away',
    had: config(route('a', '/a/'), route('b', '/b/')),
    refused: config(route('a', '/a/')),
    blamed: [],
  },
]

for (const { rule, had, refused, text = 'no', blamed } of cases) {
  t.test(`a refusal is about ${rule} (xds.md C13)`, async t => {
    const table = { ...emptyRouteTable, routeConfigs: [refused] }
    const acked = had === undefined ? undefined : generateRouteConfig(had)
    t.same(blamedObjects({ refused: generateRouteConfig(refused), acked, text }, table).map(refText), blamed)
  })
}

t.test('a refusal of a listener is about what it was made of, and about the Module if its file or script is spoken of', async t => {
  const chains = [{ name: 'c', serverNames: [], serve: { kind: 'http' as const, routeConfig: 'r' } }]
  const one: IrListener = {
    ...{ name: 'l', address: '0.0.0.0', port: 80, statPrefix: 's', chains },
    ...{ trustedHops: 0, securityModel: 'XFP', origin: ref('http', 'Listener') },
  }
  const options: IrHttpOptions = { lua: 'x', accessLog: { to: { file: '/logs/a' }, format: '' } }
  const http = { ...emptyRouteTable.http, options, optionsOrigin: ref('ambassador', 'Module') }
  const table = { ...emptyRouteTable, listeners: [one], http }
  const about = (text: string) => blamedObjects({ refused: generateListener(one, http), acked: undefined, text }, table).map(refText)
  t.same(about('cannot bind'), ['Listener default/http'])
  t.same(about("unable to open file '/logs/a': No such file"), ['Module default/ambassador', 'Listener default/http'])
  t.same(about('script load error: x'), ['Module default/ambassador', 'Listener default/http'])
})

t.test('a refusal of a cluster is about all objects that share it; of one that is gone, about nobody', async t => {
  const refused = generateCluster(cluster)
  const given = { refused, acked: undefined, text: 'no' }
  t.same(blamedObjects(given, { ...emptyRouteTable, clusters: [cluster] }).map(refText), ['Mapping default/one', 'Mapping default/two'])
  t.same(blamedObjects(given, emptyRouteTable), [])
})
