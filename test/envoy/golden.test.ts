import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { compiled, host, listener, mapping, object } from '../compile/fixtures.ts'
import { envoyPath } from '../tools/envoy.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'
import { atRest } from './static-bootstrap.ts'

const module = (config: string) => object('Module', 'ambassador', `{config: {${config}}}`)

/** Every key of a Module that can stand beside the others; those that exclude each other stand in the second one. */
const modules = [
  `server_name: edge, listener_idle_timeout_ms: 5000, max_request_headers_kb: 96, headers_with_underscores_action: REJECT_REQUEST,
   merge_slashes: true, reject_requests_with_escaped_slashes: true, strip_matching_host_port: true, preserve_external_request_id: true,
   proxy_100_continue: true, enable_http10: true, allow_chunked_length: true, proper_case: true, buffer_limit_bytes: 65536,
   forward_client_cert_details: SANITIZE_SET, set_current_client_cert_details: {subject: true, cert: true, chain: true, dns: true, uri: true},
   suppress_envoy_headers: true, enable_grpc_http11_bridge: true, enable_grpc_web: true, grpc_stats: {all_methods: true, upstream_stats: true},
   lua_scripts: "function envoy_on_request(h) end", buffer: {max_request_bytes: 1000}, brotli: {quality: 5, window_bits: 20},
   gzip: {memory_level: 2, compression_level: BEST, compression_strategy: HUFFMAN, window_bits: 10, min_content_length: 9},
   ip_allow: [{peer: 10.0.0.0/8}, {remote: "fd00::/8"}], envoy_log_type: json, envoy_log_format: {code: "%RESPONSE_CODE%"},
   error_response_overrides: [{on_status_code: 404, body: {json_format: {code: "%RESPONSE_CODE%"}}}], liveness_probe: {},
   diagnostics: {enabled: true, allow_non_local: true}, circuit_breakers: [{max_connections: 3}], keepalive: {time: 9},
   retry_policy: {retry_on: 5xx, num_retries: 4}, cors: {origins: ["https://a.example"]}, load_balancer: {policy: least_request},
   default_labels: {ambassador: {defaults: [{remote_address: {}}]}}, add_linkerd_headers: true`,
  `use_remote_address: false, header_case_overrides: [X-Foo], ip_deny: [{peer: 10.0.0.0/8}], envoy_log_path: /dev/null, gzip: {},
   grpc_stats: {services: [{name: a.B, method_names: [C]}]}, readiness_probe: {service: health, prefix: /ready}`,
] as const

const routes = [
  mapping('plain', 'hostname: "*", prefix: /plain/, service: "127.0.0.1:8081"'),
  mapping(
    'full',
    `hostname: "*", prefix: /full/, service: "127.0.0.1:8082", timeout_ms: 0, idle_timeout_ms: 5, priority: high,
    error_response_overrides: [{on_status_code: 503, body: {text_format: "sorry %RESPONSE_CODE%"}}],
    labels: {ambassador: [{a: [{generic_key: {value: x}}]}]}, allow_upgrade: [websocket], add_request_headers: {x-a: {value: b}}`,
  ).replace('labels: {}', 'labels: {}, annotations: {isthmus.dev/local-rate-limit: "{requests: 5}"}'),
  mapping('open', 'hostname: "*", prefix: /open/, service: "localhost:8083", bypass_auth: true, bypass_error_response_overrides: true'),
  mapping('moved', 'hostname: "*", prefix: /moved/, service: other.example, host_redirect: true'),
  object('AuthService', 'auth', '{auth_service: "127.0.0.1:8084"}'),
  object('RateLimitService', 'limits', '{service: "127.0.0.1:8085"}'),
  object('LogService', 'log', '{service: "127.0.0.1:8086", driver: http, grpc: true}'),
]

t.test('Envoy accepts whole configurations with everything that a Module can switch on', async t => {
  const folder = await temporaryFolder(t)
  for (const [index, config] of modules.entries()) {
    const { table, verdicts } = compiled([listener, host, ...routes, module(config)])
    t.same(
      [...verdicts].filter(([, { problems }]) => problems.length > 0),
      [],
      'no object is refused',
    )
    const file = join(folder, `${String(index)}.json`)
    await writeFile(
      file,
      atRest(table, () => undefined, await freePort()),
    )
    const { code, stderr } = await runToEnd(await envoyPath(), ['--mode', 'validate', '-c', file, '-l', 'error'])
    t.equal(code, 0, stderr)
  }
})
