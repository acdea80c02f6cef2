import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RE2JS } from 're2js'
import t from 'tap'
import { checkRegex } from '../../src/manifests/check-values.ts'
import { maxRegexSize, regexSize } from '../../src/manifests/regex-size.ts'
import { envoyPath } from '../tools/envoy.ts'
import { temporaryFolder } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'

/** A configuration with these expressions as routes, each over a limit for the size of its program. */
function configuration(expressions: readonly string[], limit: number): object {
  const layers = [{ name: 'limit', static_layer: { 're2.max_program_size.error_level': limit } }]
  const routes = expressions.map(regex => ({ match: { safe_regex: { regex } }, direct_response: { status: 200 } }))
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'x',
    http_filters: [{ name: 'router', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } }],
    route_config: { name: 'routes', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  }
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager }
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } }
  return { layered_runtime: { layers }, static_resources: { listeners: [{ name: 'l', address, filter_chains: [{ filters: [filter] }] }] } }
}

const expressions = [
  ...['/a', '/[^/]+/b', '/.*', '/users/[0-9]{1,10}/x', '/(a|b|c|d)+', '(?i)/hello/world', '/[a-z]{1,50}', '/\\pL{1,10}', '(?P<n>a)'],
  ...['/(foo|bar|baz){1,15}', '/[^/]{1,40}', '/.{1,60}', '/\\w{1,40}', '/x{1,100}', '(?i)/[a-z]{1,30}é', '/\\p{Han}{1,5}', '\\Qa.b\\E'],
  ...['/(a{1,10}){1,10}', '[[:word:]]{1,30}', '\\W{1,30}', '\\S{1,30}', '[^a-z0-9]{1,40}', '(?i)straße', '[é-ÿ]{1,10}', '(?s).{1,40}'],
  ...['\\d+(\\.\\d+){1,20}', '((a|b){1,5}c?){1,5}', '[abcdefxyz_0-9.-]{1,30}', 'a\\b', '\\p{Greek}'],
]

t.test('what is accepted is within Envoy’s bound: the estimate of a program is never below Envoy’s count', async t => {
  const folder = await temporaryFolder(t)
  const validate = async (list: readonly string[], limit: number) => {
    const file = join(folder, 'envoy.json')
    await writeFile(file, JSON.stringify(configuration(list, limit)))
    return runToEnd(await envoyPath(), ['--mode', 'validate', '-c', file, '-l', 'error'])
  }
  const accepted = expressions.filter(one => checkRegex([], one).length === 0)
  t.strictSame(accepted, expressions, 'what Emissary would take is taken')
  const all = await validate(accepted, maxRegexSize)
  t.equal(all.code, 0, all.stderr)
  for (const one of ['/x{1,100}', '/\\w{1,40}', '/(foo|bar|baz){1,15}', '[^a-z0-9]{1,40}']) {
    const { stderr } = await validate([one], 1)
    const count = Number(/program size of (\d+)/.exec(stderr)?.[1])
    const estimate = regexSize(RE2JS.compile(one))
    t.ok(
      count > 1 && estimate >= count && estimate <= count * 1.4,
      `${one}: Envoy counts ${String(count)}, the estimate is ${String(estimate)}`,
    )
  }
  for (const [one, reason] of [
    ['/x{1,1000}', /too large an expression: about \d+ steps/],
    ['/\\x{100}', /\\x\{100\} can match nothing/],
    ['(?=x)', /no regular expression of the RE2 kind/],
  ] as const) {
    t.match(checkRegex([], one), [{ text: reason }])
    t.not((await validate([one], maxRegexSize)).code, 0, `Envoy refuses ${one} too`)
  }
})
