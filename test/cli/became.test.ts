import t from 'tap'
import { became } from '../../src/cli/became.ts'
import { parseManifests } from '../../src/manifests/parse.ts'
import { compiled, listener, mapping, object } from '../compile/fixtures.ts'

t.test('every kind that reaches an Envoy names what it became; parts that are shared are named by all who share them', t => {
  const documents = [
    listener,
    object('Host', 'one', '{hostname: one.example, requestPolicy: {insecure: {action: Route}}}'),
    object('Host', 'two', '{hostname: "two.example:8443", requestPolicy: {insecure: {action: Route}}}'),
    mapping('most', 'hostname: "*", prefix: /web/, service: web, weight: 70'),
    mapping('rest', 'hostname: "*", prefix: /web/, service: web'),
    mapping('moved', 'hostname: "*", prefix: /old/, service: new.example, host_redirect: true'),
    object('TCPMapping', 'raw', '{port: 9000, service: db}'),
    object('AuthService', 'auth', '{auth_service: auth}'),
    object('RateLimitService', 'limits', '{service: limits}'),
    object('LogService', 'log', '{service: log, driver: http, grpc: true}'),
    object('TracingService', 'trace', '{service: zipkin, driver: zipkin}'),
    object('Module', 'ambassador', '{config: {enable_http10: true}}'),
  ]
  const manifests = parseManifests(documents.join('---\n'), { file: 'f.yaml', namespace: 'default' }).objects
  const lines = became(compiled(documents).table, manifests)
  const of = (place: string): readonly string[] => lines.get(place) ?? []
  t.match(of('Listener default/http'), [/^listener /])
  for (const name of ['one', 'two']) t.match(of(`Host default/${name}`), [/^virtual host one\.example in /], 'one virtual host for both')
  t.match(of('Mapping default/most'), [/: prefix \/web\/, up to 70 % of the requests, to cluster default\/web$/, 'cluster default/web'])
  t.match(of('Mapping default/rest'), [/: prefix \/web\/, to cluster default\/web$/, 'cluster default/web'])
  t.match(of('Mapping default/moved'), [/: prefix \/old\/, redirect$/])
  t.match(of('TCPMapping default/raw'), [/^listener .*9000/, 'cluster default/db', /^connections of listener .*9000$/])
  t.match(of('AuthService default/auth'), ['cluster default/auth', 'filter auth default/auth of every HTTP listener'])
  t.match(of('RateLimitService default/limits'), [/^cluster /, 'filter ratelimit ambassador of every HTTP listener'])
  t.match(of('LogService default/log'), [/^cluster /, 'access log default/log of every HTTP listener'])
  t.match(of('TracingService default/trace'), [/^cluster /, 'tracing by zipkin of every HTTP listener'])
  t.equal(lines.has('Module default/ambassador'), false, 'it only shapes what others become')
  t.end()
})
