import t from 'tap'
import { withoutDangling } from '../../src/reconcile/references.ts'
import { keyText, type Resource } from '../../src/xds/resource.ts'
import { resource } from '../xds/resources.ts'

const all = (...resources: readonly Resource[]) => new Map(resources.map(one => [keyText(one), one]))
const route = (content: string, ...clusters: readonly string[]) =>
  resource(
    'route r',
    content,
    clusters.map(name => `cluster ${name}`),
  )
const cluster = (name: string) => resource(`cluster ${name}`, 'v1', [`endpoint ${name}`])
const listener = resource('listener l', 'v1', ['route r', 'secret s'])

const cases: readonly {
  readonly rule: string
  readonly wanted: readonly Resource[]
  readonly before?: readonly Resource[]
  readonly served: readonly Resource[]
  readonly dangling?: readonly string[]
}[] = [
  {
    rule: 'what is whole is published as it is; secrets may come from elsewhere',
    wanted: [listener, route('v2', 'a'), cluster('a')],
    before: [listener, route('v1', 'b'), cluster('b')],
    served: [listener, route('v2', 'a'), cluster('a')],
  },
  {
    rule: 'a route to a cluster that does not exist is not published, nor what needs the route',
    wanted: [listener, route('v1', 'missing')],
    served: [],
    dangling: ['route r → cluster missing', 'listener l → route r'],
  },
  {
    rule: 'the last good version stays, with all that it names, and what needs it is published',
    wanted: [resource('listener l', 'v2', ['route r']), route('v2', 'missing')],
    before: [listener, route('v1', 'a'), cluster('a')],
    served: [resource('listener l', 'v2', ['route r']), route('v1', 'a'), cluster('a')],
    dangling: ['route r → cluster missing'],
  },
  {
    rule: 'a cluster without its assignment is no cluster',
    wanted: [route('v1', 'gone'), cluster('gone')],
    served: [],
    dangling: ['cluster gone → endpoint gone', 'route r → cluster gone'],
  },
  {
    rule: 'a last good version that would dangle itself does not come back',
    wanted: [route('v2', 'missing')],
    before: [route('v1', 'gone'), cluster('gone')],
    served: [],
    dangling: ['route r → cluster missing', 'cluster gone → endpoint gone', 'route r → cluster gone'],
  },
]

for (const { rule, wanted, before = [], served, dangling = [] } of cases) {
  t.test(`O9 ${rule}`, async t => {
    const found = withoutDangling(all(...wanted), all(...before), name => name !== 'gone')
    const texts = (resources: Iterable<Resource>) => [...resources].map(one => `${keyText(one)} ${one.version}`).sort()
    t.same(texts(found.serve.values()), texts(served))
    t.same(found.dangling.map(({ resource: one, missing }) => `${keyText(one)} → ${keyText(missing)}`).sort(), [...dangling].sort())
  })
}
