import t from 'tap'
import { localRateLimitAnnotation } from '../../src/manifests/local-rate-limit.ts'
import { host, listener, mapping, object, Round } from './fixtures.ts'

const limited = (text: string) =>
  mapping('m', 'hostname: "*", prefix: /, service: web').replace(
    'labels: {}',
    `labels: {}, annotations: {${localRateLimitAnnotation}: ${JSON.stringify(text)}}`,
  )
const filtersOf = (round: Round, ...documents: readonly string[]) =>
  round.apply(listener, host, ...documents).table.routeConfigs[0]?.virtualHosts[0]?.routes[0]?.filters

t.test('isthmus.dev/local-rate-limit: defaults, and each bad value refuses its Mapping with the annotation named', t => {
  const limit = (text: string) => filtersOf(new Round(), limited(text))?.[0]
  t.match(limit('{requests: 5}'), { limit: { requests: 5, intervalMs: 1000, burst: 5, status: 429, perConnection: false } })
  t.match(limit('{requests: 5, per: 1m, burst: 9, status: 503, per_connection: true}'), {
    limit: { requests: 5, intervalMs: 60_000, burst: 9, status: 503, perConnection: true },
  })
  const bad: readonly (readonly [string, RegExp])[] = [
    ['{', /is no YAML/],
    ['5', /expected a mapping, got the number 5/],
    ['{}', /requests: is required/],
    ['{requests: 0}', /requests: expected a whole number from 1 to 4294967295, got the number 0/],
    ['{request: 1, requests: 1}', /request: unknown field: did you mean "requests"/],
    ['{requests: 1, per: 1ms}', /per: must be at least 50ms/],
    ['{requests: 1, per: hour}', /per: expected a duration/],
    ['{requests: 4, burst: 3}', /burst: 3 is less than requests, 4/],
    ['{requests: 4, status: 200}', /status: expected a whole number from 400 to 599/],
    ['{requests: 4, status: 499}', /status: 499 is no status that Envoy can answer/],
  ]
  for (const [text, wanted] of bad) {
    const round = new Round()
    t.equal(filtersOf(round, limited(text)), undefined, text)
    t.match(
      round.status('Mapping', 'm'),
      new RegExp(`^refused metadata\\.annotations\\.isthmus\\.dev/local-rate-limit: .*${wanted.source}`),
      text,
    )
  }
  t.end()
})

t.test('error_response_overrides: what is wrong is named, by Module and Mapping alike', t => {
  const entry = (text: string) => `error_response_overrides: [${text}]`
  const bad: readonly (readonly [string, RegExp])[] = [
    ['{on_status_code: 200, body: {text_format: x}}', /\[0\]\.on_status_code: expected a whole number from 400 to 599/],
    ['{on_status_code: 499, body: {text_format: x}}', /\[0\]\.on_status_code: 499 is no status that Envoy knows/],
    ['{on_status_code: 503, body: {}}', /\[0\]\.body: needs exactly one of text_format, json_format and text_format_source, got 0/],
    ['{on_status_code: 503, body: {text_format: x, json_format: {}}}', /got 2/],
    ['{on_status_code: 503, body: {text_format: "%RESPONSE_COD%"}}', /text_format: "%RESPONSE_COD%" is no command of Envoy.*RESPONSE_CODE/],
    ['{on_status_code: 503, body: {json_format: {a: "100%"}}}', /json_format\.a: .*a plain percent sign is written %%/],
    [
      '{on_status_code: 503, body: {text_format: a}}, {on_status_code: 503, body: {text_format: b}}',
      /\[1\]\.on_status_code: 503 stands twice/,
    ],
    ['{on_status_code: 503}', /\[0\]\.body: is required/],
  ]
  for (const [text, wanted] of bad) {
    const round = new Round()
    round.apply(
      listener,
      host,
      mapping('m', `hostname: "*", prefix: /, service: web, ${entry(text)}`),
      object('Module', 'ambassador', `{config: {${entry(text)}}}`),
    )
    t.match(round.status('Mapping', 'm'), new RegExp(`^refused spec\\.error_response_overrides.*${wanted.source}`), text)
    t.match(round.status('Module', 'ambassador'), new RegExp(`^refused spec\\.config\\.error_response_overrides.*${wanted.source}`), text)
  }
  t.end()
})

t.test('error_response_overrides: a Mapping’s list replaces the Module’s, a file is read by the gateway', t => {
  const files = (path: string) => (path === '/body' ? { text: 'from a file' } : { problem: 'cannot be read' })
  const given = { readFile: files }
  const common = object('Module', 'ambassador', '{config: {error_response_overrides: [{on_status_code: 404, body: {text_format: gone}}]}}')
  const of = (own: string) => filtersOf(new Round(given), common, mapping('m', `hostname: "*", prefix: /, service: web, ${own}`))
  t.equal(of('timeout_ms: 1'), undefined, 'the Module’s counts')
  t.same(of('bypass_error_response_overrides: true'), [{ filter: 'common errors', kind: 'off' }])
  t.same(of('error_response_overrides: [{on_status_code: 503, body: {text_format_source: {filename: /body}}}]'), [
    { filter: 'common errors', kind: 'off' },
    { filter: 'errors', kind: 'errors', overrides: [{ status: 503, contentType: 'text/plain', body: 'from a file' }] },
  ])
  const round = new Round(given)
  const unreadable = '{config: {error_response_overrides: [{on_status_code: 404, body: {text_format_source: {filename: /none}}}]}}'
  round.apply(listener, host, object('Module', 'ambassador', unreadable))
  t.match(
    round.status('Module', 'ambassador'),
    /^refused spec\.config\.error_response_overrides\[0\]\.body\.text_format_source\.filename: \/none cannot be read/,
  )
  t.end()
})
