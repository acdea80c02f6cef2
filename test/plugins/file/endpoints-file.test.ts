import fc from 'fast-check'
import t, { type Test } from 'tap'
import { EndpointsFile } from '../../../plugins/file/endpoints-file.ts'
import { parsePlainItem } from '../../../plugins/file/plain-yaml.ts'
import { readWhole } from '../../../plugins/file/read-services.ts'
import { parseYaml } from '../../../plugins/file/yaml-text.ts'
import type { EndpointGroup } from '../../../src/model/endpoint-group.ts'
import { IsthmusError } from '../../../src/model/errors.ts'
import { makeGiven } from '../../contract/harness.ts'

const given = makeGiven()
const make = (): EndpointsFile => new EndpointsFile('endpoints.yaml', given)
const service = (name: string, ...endpoints: string[]): string =>
  `  - name: ${name}\n    endpoints:\n${endpoints.map(one => `      - { ${one} }\n`).join('')}`
const web = service('web', 'address: 10.0.0.1, port: 80', 'address: 10.0.0.2, port: 80')
const api = service('api', 'address: 10.0.0.3, port: 90')

function names(groups: readonly EndpointGroup[]): string[] {
  return groups.map(group => `${group.id}:${group.endpoints.length}`)
}

function refusal(test: Test, file: EndpointsFile, text: string, expected: RegExp): void {
  const before = file.groups()
  try {
    file.update(Buffer.from(text))
    test.fail(`accepted: ${text}`)
  } catch (error) {
    test.ok(error instanceof IsthmusError && error.code === 'endpoints-invalid', String(error))
    test.match(String(error), expected)
  }
  test.strictSame(file.groups(), before, 'the content in force stays')
}

void t.test('every field of interface.md reaches the endpoint', async test => {
  const file = make()
  const text = `services:
  - name: web
    namespace: shop
    endpoints:
      - { address: "2001:db8::1", port: 80, portName: http, weight: 50, health: degraded, zone: z1, region: north, tags: [a, b], meta: { version: "2" } }
      - { address: "2001:db8::1", port: 90, portName: admin }
`
  const [group] = file.update(Buffer.from(text))
  test.match(group, {
    id: 'shop/web',
    service: 'shop/web',
    endpoints: [
      {
        address: '2001:db8::1',
        port: 80,
        portName: 'http',
        weight: 50,
        health: 'degraded',
        presence: 'live',
        locality: { zone: 'z1', region: 'north' },
        tags: ['a', 'b'],
        meta: { version: '2' },
        reasons: [{ code: 'file-health' }],
        // Named ports of one address are one instance.
        id: '2001:db8::1',
      },
      { port: 90, weight: 100, health: 'healthy', reasons: [], id: '2001:db8::1' },
    ],
  })
})

void t.test('ports of one address without names are instances of their own', async test => {
  const [group] = make().update(Buffer.from(`services:\n${service('web', 'address: 10.0.0.1, port: 80', 'address: 10.0.0.1, port: 81')}`))
  test.strictSame(
    group?.endpoints.map(endpoint => endpoint.id),
    ['10.0.0.1:80', '10.0.0.1:81'],
  )
})

void t.test('only groups that changed are given', async test => {
  const file = make()
  test.strictSame(names(file.update(Buffer.from(`services:\n${web}${api}`))), ['default/web:2', 'default/api:1'])
  test.strictSame(file.update(Buffer.from(`services:\n${web}${api}`)), [])
  test.strictSame(names(file.update(Buffer.from(`services:\n${web.replace('10.0.0.1', '10.0.0.9')}${api}`))), ['default/web:2'])
  test.strictSame(file.update(Buffer.from(`services:\n# moved\n${api}${web.replace('10.0.0.1', '10.0.0.9')}`)), [], 'order means nothing')
  test.strictSame(names(file.update(Buffer.from(`services:\n${api}`))), ['default/web:0'], 'a service that is gone is an empty group')
  test.strictSame(names(file.update(Buffer.from('services: []\n'))), ['default/api:0'])
})

void t.test('a refused address and a repeated endpoint cost only themselves, and are named with their line', async test => {
  const file = make()
  const text = `services:\n${service('web', 'address: 127.0.0.1, port: 80', 'address: 10.0.0.1, port: 80', 'address: web.corp, port: 80', 'address: 10.0.0.1, port: 80')}`
  const [group] = file.update(Buffer.from(text))
  test.equal(group?.endpoints.length, 1)
  const refused = file.refusals()
  test.equal(refused.length, 3)
  test.match(refused[0], /^endpoints\.yaml:4: services\[0\]\.endpoints\[0\]\.address .*loopback/)
  test.match(refused[1], /^endpoints\.yaml:6: services\[0\]\.endpoints\[2\]\.address .*no IP/)
  test.match(refused[2], /^endpoints\.yaml:7: services\[0\]\.endpoints\[3\] repeats 10\.0\.0\.1 port 80/)
})

void t.test('malformed content is refused whole, with file, line and path', async test => {
  const file = make()
  file.update(Buffer.from(`services:\n${web}`))
  const cases: [text: string, expected: RegExp][] = [
    ['', /endpoints\.yaml:1: the file must be a map/],
    ['services:\n', /endpoints\.yaml:1: services must be a list/],
    ['- a\n', /must be a map/],
    [`services:\n${web}extra: 1\n`, /endpoints\.yaml:6: extra is no key/],
    [
      `services:\n${web}${api.replace('port: 90', 'port: 0')}`,
      /endpoints\.yaml:8: services\[1\]\.endpoints\[0\]\.port must be >= 1, not 0/,
    ],
    [`services:\n${web}${api.replace('port: 90', 'port: "90"')}`, /services\[1\]\.endpoints\[0\]\.port must be of type integer, not "90"/],
    [`services:\n${web}${api.replace('port: 90', 'port: 90, wieght: 3')}`, /:8: services\[1\]\.endpoints\[0\]\.wieght is no key.*"weight"/],
    [`services:\n${web}${api.replace('port: 90', 'port: 90, health: sick')}`, /must be one of healthy, .*not "sick"/],
    [`services:\n${web}${api.replace('    endpoints', '    namespace: a/b\n    endpoints')}`, /services\[1\]\.namespace must hold neither/],
    [`services:\n${web}  - name: api\n`, /:6: services\[1\] has no endpoints/],
    [`services:\n${web}  - name: "api\n    endpoints: []\n`, /endpoints\.yaml:\d+: Missing closing/],
    [`services:\n${web}${api}${web}`, /endpoints\.yaml:9: service web of namespace default is there already, on line 2/],
    [`services: [{ name: a, endpoints: [] }, { name: a, endpoints: [] }]\n`, /service a of namespace default is there already/],
    ['services: *nowhere\n', /nowhere/],
    ['<html>\n<body>no: yaml</body>\n', /endpoints\.yaml:/],
  ]
  for (const [text, expected] of cases) refusal(test, file, text, expected)
  test.strictSame(names(file.update(Buffer.from(`services:\n${web.replace('10.0.0.1', '10.0.0.8')}`))), ['default/web:2'], 'then goes on')
  test.throws(() => file.update(Buffer.from([0x73, 0xff, 0xfe])), { code: 'endpoints-invalid' })
})

void t.test('forms other than a plain list are read too', async test => {
  for (const text of [
    'services: [{ name: web, endpoints: [{ address: 10.0.0.1, port: 80 }] }]\n',
    '%YAML 1.2\n---\nservices:\n- name: web\n  endpoints:\n  - address: 10.0.0.1\n    port: 80\n...\n',
    'services:\r\n  - name: web\r\n    endpoints:\r\n      - { address: 10.0.0.1, port: 80 }\r\n',
    '---\n# all\nservices: # here\n- endpoints:\n  - {port: 80, address: "10.0.0.1"}\n  name: >-\n    web\n',
    'services:\n  - &a { name: old, endpoints: &e [{ address: 10.0.0.1, port: 80 }] }\n  - { name: web, endpoints: *e }\n',
    '\uFEFFservices:\n  - name: web\n    endpoints:\n      - { address: 10.0.0.1, port: 80 }\n',
  ]) {
    const groups = make().update(Buffer.from(text))
    test.match(groups.at(-1), { service: 'default/web', endpoints: [{ address: '10.0.0.1', port: 80 }] }, text)
  }
})

/** Fragments that tell YAML readers apart, and the plain ones. */
const scalar = fc.constantFrom(
  ...[
    'web',
    'a-b.c',
    '10.0.0.1',
    '8080',
    '0',
    '007',
    '1e5',
    '0x1f',
    'true',
    'Null',
    '~',
    '"q: x"',
    "'it''s'",
    '"a\\tb"',
    'a b',
    'x:y',
    '-1',
    '1.5',
    '2001-01-01',
  ],
  ...[
    '[a, b]',
    '[]',
    '{}',
    '{ a: 1, b: [c] }',
    '{a:1}',
    '{ a: 1, a: 2 }',
    '[a,]',
    '*x',
    '&x y',
    '!!str 1',
    '|',
    '',
    '# c',
    'v # c',
    '{ a: 1 }}',
    'yes',
    '.inf',
    '@a',
  ],
)
const pair = fc.tuple(fc.constantFrom('name', 'namespace', 'port', 'address', 'meta'), scalar).map(([key, value]) => `${key}: ${value}`)
const flow = fc.array(pair, { maxLength: 3 }).map(pairs => `{ ${pairs.join(', ')} }`)
const bodyLine = fc.oneof(
  pair.map(text => `    ${text}`),
  fc.constantFrom('    endpoints:', '    # note', '', '   ', '      deeper', '    - x', '\tname: a'),
  flow.map(text => `      - ${text}`),
  flow.map(text => `    - ${text}`),
  pair.map(text => `      - ${text}`),
  pair.map(text => `        ${text}`),
)
const itemText = fc.tuple(pair, fc.array(bodyLine, { maxLength: 6 })).map(([first, rest]) => [`  - ${first}`, ...rest, ''].join('\n'))

void t.test('the plain reader gives what the whole YAML parser gives, or nothing', async test => {
  let read = 0
  fc.assert(
    fc.property(itemText, text => {
      const plain = parsePlainItem(text)
      if (plain === undefined) return
      read++
      const whole = parseYaml(text)
      if ('fault' in whole) throw new Error(`no YAML: ${whole.fault.text}`)
      test.strictSame([plain], whole.value)
    }),
    { numRuns: 3000 },
  )
  test.ok(read > 50, `the plain reader was tried: ${read}`)
})

const goodItem = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
    fc.constantFrom('', '  # note\n', '\n', '# top\n'),
  )
  .map(([name, ports, after]) => {
    const list = ports.length === 0 ? ' []\n' : `\n${ports.map(port => `      - { address: 10.0.0.${port}, port: ${port} }\n`).join('')}`
    return `  - name: ${name}\n    endpoints:${list}${after}`
  })
const content = fc.oneof(
  { weight: 6, arbitrary: fc.array(goodItem, { minLength: 1, maxLength: 6 }).map(items => `services:\n${items.join('')}`) },
  { weight: 1, arbitrary: fc.array(itemText, { minLength: 1, maxLength: 3 }).map(items => `services:\n${items.join('')}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'services: []\n',
      'services:\n',
      '# none\nservices:\n- name: a\n  endpoints: []\n',
      'services:\n  - name: a\n other: 1\n',
    ),
  },
)

void t.test('after any sequence of edits the groups are those of a whole parse, and what was given adds up to them', async test => {
  fc.assert(
    fc.property(fc.array(content, { minLength: 1, maxLength: 8 }), texts => {
      const file = make()
      const told = new Map<string, EndpointGroup>()
      let last: EndpointGroup[] = []
      for (const text of texts) {
        const bytes = Buffer.from(text)
        let expected: EndpointGroup[] | undefined
        try {
          const whole = readWhole(bytes, 'endpoints.yaml', given).map(read => read.group)
          if (new Set(whole.map(group => group.id)).size === whole.length) expected = whole
        } catch (error) {
          if (!(error instanceof IsthmusError)) throw error
        }
        try {
          for (const group of file.update(bytes)) told.set(group.id, group)
          if (expected === undefined) throw new Error(`accepted what a whole parse refuses: ${text}`)
          last = expected
        } catch (error) {
          if (!(error instanceof IsthmusError)) throw error
          if (expected !== undefined) throw new Error(`refused what a whole parse takes: ${text}`, { cause: error })
        }
        test.strictSame(file.groups(), last)
        const sum = [...told.values()].filter(group => group.endpoints.length > 0).map(group => [group.id, group])
        test.strictSame(
          new Map(sum as [string, EndpointGroup][]),
          new Map(last.filter(group => group.endpoints.length > 0).map(group => [group.id, group])),
        )
      }
    }),
    { numRuns: 400 },
  )
})
