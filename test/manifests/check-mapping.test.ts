import t from 'tap'
import { host, listener, mapping, Round } from '../compile/fixtures.ts'

function status(spec: string): string {
  const round = new Round()
  round.apply(listener, host, mapping('shop/m', `hostname: "*", prefix: /, service: web, ${spec}`))
  return round.status('Mapping', 'm')
}

t.test('a value of a Mapping that Envoy would refuse, with all other routes, is refused before, at its place', async t => {
  const probe = (http: string) => `health_checks: [{health_check: {http: {${http}}}}]`
  const bad: readonly (readonly [string, string])[] = [
    ['circuit_breakers: [{priority: high}, {priority: high}]', 'circuit_breakers[1].priority: high stands twice'],
    ['health_checks: [{health_check: {}}]', 'health_checks[0].health_check: needs http or grpc'],
    [probe('path: ok'), 'health_checks[0].health_check.http.path: must start with "/"'],
    [probe('path: "/a\\nb"'), 'health_checks[0].health_check.http.path: must not contain control characters'],
    [probe('path: /, hostname: "a\\nb"'), 'health_checks[0].health_check.http.hostname: must not contain control characters'],
    [probe('path: /, remove_request_headers: [":path"]'), 'health_checks[0].health_check.http.remove_request_headers[0]: ":path" cannot'],
    [
      probe('path: /, expected_statuses: [{min: 300, max: 200}]'),
      'health_checks[0].health_check.http.expected_statuses[0]: min is above max',
    ],
    ['health_checks: [{timeout: 0s, health_check: {grpc: {upstream_name: a}}}]', 'health_checks[0].timeout: must be at least 1ms'],
    ['outlier_detection: "5"', 'outlier_detection: must be a JSON object'],
    ['outlier_detection: "{"', 'outlier_detection: must be a JSON object'],
    [`outlier_detection: '{"consecutive_5x": 5}'`, 'outlier_detection: has the unknown field "consecutive_5x"; did you mean'],
    [`outlier_detection: '{"constructor": 5}'`, 'outlier_detection: has the unknown field "constructor"'],
    [`outlier_detection: '{"max_ejection_percent": 101}'`, 'outlier_detection: max_ejection_percent must be a percentage'],
    [`outlier_detection: '{"consecutive_5xx": 4294967296}'`, 'outlier_detection: consecutive_5xx must be a whole number'],
    [`outlier_detection: '{"interval": 5}'`, 'outlier_detection: interval must be a duration'],
    [`outlier_detection: '{"interval": "0s"}'`, 'outlier_detection: interval must be a duration'],
    [
      `outlier_detection: '{"base_ejection_time": "30s", "max_ejection_time": "1s"}'`,
      'outlier_detection: max_ejection_time must not be below',
    ],
    ['keepalive: {probes: 128}', 'keepalive.probes: must be 1 to 127'],
    ['keepalive: {idle_time: 0}', 'keepalive.idle_time: must be 1 to 32767'],
    ['enable_ipv4: false', 'enable_ipv4: is false and enable_ipv6 is not true'],
    ['regex_rewrite: {pattern: "("}', 'regex_rewrite.pattern: no regular expression'],
    [`regex_rewrite: {pattern: "(a)", substitution: '\\2'}`, 'regex_rewrite.substitution: \\2 is no group of the pattern, which has 1'],
    [`regex_rewrite: {pattern: "a", substitution: '\\x'}`, 'regex_rewrite.substitution: "\\x": behind a backslash'],
    ['add_request_headers: {Host: {value: a}}', 'add_request_headers.Host: "Host" cannot be changed here'],
    ['remove_request_headers: [":path"]', 'remove_request_headers[0]: ":path" cannot be changed here'],
    ['remove_response_headers: ["a b"]', 'remove_response_headers[0]: "a b" is no header name'],
    ['add_response_headers: {x-a: {value: "50%"}}', 'add_response_headers.x-a.value: "%" is no command'],
    ['add_request_headers: {x-a: {value: "%PROTOCOLL%"}}', 'add_request_headers.x-a.value: "%PROTOCOLL%" is no command'],
    ['add_request_headers: {x-a: {value: "%PROTOCOL(x)%"}}', 'add_request_headers.x-a.value: "%PROTOCOL(x)%" is no command'],
    ['add_request_headers: {x-a: {value: "%REQ%"}}', 'add_request_headers.x-a.value: "%REQ%" is no command'],
    ['allow_upgrade: ["web socket"]', 'allow_upgrade[0]: "web socket" is no protocol'],
    ['cors: {max_age: 1d}', 'cors.max_age: "1d" is no number of seconds'],
    ['cors: {origins: ["a\\nb"]}', 'cors.origins[0]: must not contain control characters'],
    ['retry_policy: {retry_on: 5xx, per_try_timeout: 0s}', 'retry_policy.per_try_timeout: must be at least 1ms'],
  ]
  for (const [spec, reason] of bad) {
    const found = status(spec)
    t.ok(found.startsWith(`refused spec.${reason}`), `${spec} -> ${found}`)
  }
})

t.test('and what Envoy takes is let through', async t => {
  const good = [
    'allow_upgrade: [websocket, spdy/3.1]',
    `regex_rewrite: {pattern: "(a)(b)", substitution: '\\2\\1\\0\\\\'}`,
    'add_request_headers: {x-a: {value: "100%% %REQ(:path)%%REQ(x-a?x-b):10% %START_TIME(%s.%3f)%%%"}}',
    'add_response_headers: {x-a: {value: ""}}',
    `outlier_detection: '{"interval": "1.5s", "split_external_local_origin_errors": true}'`,
    'keepalive: {probes: 127, idle_time: 32767, interval: 1}',
    'enable_ipv4: false, enable_ipv6: true',
  ]
  for (const spec of good) t.equal(status(spec), 'accepted', spec)
})
