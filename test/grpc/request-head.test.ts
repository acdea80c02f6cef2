import t from 'tap'
import { readRequestHead } from '../../src/grpc/request-head.ts'
import { grpcCodes, statusFields } from '../../src/grpc/status.ts'

const good = { ':method': 'POST', ':path': '/a.B/C', 'content-type': 'application/grpc', te: 'trailers' }

t.test('what begins a call, and what is refused', async t => {
  const call = { path: '/a.B/C', encoding: 'identity', timeoutMs: undefined }
  const cases: readonly (readonly [object, object])[] = [
    [{}, call],
    [{ 'content-type': 'application/grpc+proto' }, call],
    [{ 'content-type': 'application/grpc;charset=utf-8' }, call],
    [{ 'content-type': 'application/grpc-web+proto' }, { httpStatus: 415 }],
    [{ 'content-type': 'application/json' }, { httpStatus: 415 }],
    [{ 'content-type': undefined }, { httpStatus: 415 }],
    [{ ':method': 'GET' }, { httpStatus: 405 }],
    [{ 'grpc-encoding': 'identity' }, call],
    [{ 'grpc-encoding': 'gzip' }, { ...call, encoding: 'gzip' }],
    [{ 'grpc-encoding': 'deflate' }, { ...call, encoding: 'deflate' }],
    [{ 'grpc-encoding': 'snappy' }, { status: { code: grpcCodes.unimplemented } }],
    [{ 'grpc-timeout': '90m' }, { ...call, timeoutMs: 90 }],
    [{ 'grpc-timeout': '2H' }, { ...call, timeoutMs: 7_200_000 }],
    [{ 'grpc-timeout': '99999999S' }, { ...call, timeoutMs: 99_999_999_000 }],
    [{ 'grpc-timeout': '5000u' }, { ...call, timeoutMs: 5 }],
    [{ 'grpc-timeout': '1000000n' }, { ...call, timeoutMs: 1 }],
    [{ 'grpc-timeout': '0S' }, { ...call, timeoutMs: 0 }],
    ...['', 'S', '-1S', '1s', '1.5S', '123456789S', '1S '].map(
      text => [{ 'grpc-timeout': text }, { status: { code: grpcCodes.internal } }] as const,
    ),
  ]
  for (const [fields, wanted] of cases) t.match(readRequestHead({ ...good, ...fields }), wanted, JSON.stringify(fields))
})

t.test('a status says its text percent-encoded, and nothing if it has none', async t => {
  t.same(statusFields({ code: grpcCodes.ok, message: '' }), { 'grpc-status': '0' })
  const cases = [
    ['plain text ~!"#$&', 'plain text ~!"#$&'],
    ['100 %', '100 %25'],
    ['line\nnext\ttab\r\u007f', 'line%0Anext%09tab%0D%7F'],
    ['größer 网 😀', 'gr%C3%B6%C3%9Fer %E7%BD%91 %F0%9F%98%80'],
    ['half \ud800', 'half %EF%BF%BD'],
  ] as const
  for (const [text, wanted] of cases) {
    const field = statusFields({ code: grpcCodes.internal, message: text })['grpc-message'] ?? ''
    t.equal(field, wanted)
    t.equal(decodeURIComponent(field), text.toWellFormed())
  }
})
