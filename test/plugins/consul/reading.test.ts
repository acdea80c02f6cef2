import t from 'tap'
import { AclBaseline } from '../../../plugins/consul/acl-baseline.ts'
import { isCatalog, isHealthEntries } from '../../../plugins/consul/entry.ts'
import { judge } from '../../../plugins/consul/reading.ts'
import { entry } from './entries.ts'

const answer = (over: { status?: number; body?: unknown; headers?: Record<string, string | undefined> } = {}) => ({
  status: over.status ?? 200,
  body: 'body' in over ? over.body : [],
  headers: { 'x-consul-index': '7', 'x-consul-knownleader': 'true', 'x-consul-lastcontact': '0', ...over.headers },
})
const read = (over: Parameters<typeof answer>[0], former?: string): ReturnType<typeof judge> => judge(answer(over), isHealthEntries, former)

t.test('rule 1: only 200 with JSON of the expected shape and an index is usable', async t => {
  t.same(read({}), { kind: 'value', body: [], index: '7', doubts: [] })
  t.same(read({ body: [entry()] }), { kind: 'value', body: [entry()], index: '7', doubts: [] })
  const { Node, Service, Checks } = entry()
  const bad: readonly [string, unknown][] = [
    ['JSON null', null],
    ['an object', {}],
    ['HTML, which comes as bytes', Buffer.from('<html>Bad gateway</html>')],
    ['nothing at all', undefined],
    ['an entry that is null', [null]],
    ['an entry without a node', [{ Service, Checks }]],
    ['an entry without a service', [{ Node, Checks }]],
    ['an entry without checks', [{ Node, Service }]],
  ]
  const oddInside = [
    { Node, Service: { ...Service, Port: '80' }, Checks },
    { Node, Service, Checks: [{ CheckID: 'a', ServiceID: '' }] },
  ]
  t.match(read({ body: oddInside }), { kind: 'value' }, 'an odd field within an instance is for that instance to pay')
  for (const [title, body] of bad) t.match(read({ body }), { kind: 'error', code: 'consul-answer' }, title)
  t.match(read({ body: Buffer.from('<html>Bad gateway</html>') }), { text: /<html>Bad gateway.*Consul agent\?/ }, 'what came is quoted')
})

t.test('the catalog is an object of lists', async t => {
  t.ok(isCatalog({ web: ['v1'], api: [], odd: null }))
  for (const body of [null, [], 'text', 3, { web: 'v1' }, { web: {} }]) t.notOk(isCatalog(body), JSON.stringify(body))
})

t.test('rule 3: an index that is missing, 0, no number, or went back resets', async t => {
  for (const index of [undefined, '0', '', '-3', '1.5', '0x10', 'abc', '18446744073709551616', '1'.repeat(50)]) {
    t.match(read({ headers: { 'x-consul-index': index } }), { kind: 'error', code: 'consul-index', reset: true }, String(index))
  }
  t.match(read({ headers: { 'x-consul-index': '6' } }, '7'), { kind: 'error', reset: true, text: /from 7 to 6/ })
  t.match(read({}, '7'), { kind: 'value', index: '7' }, 'the same again is the end of a wait')
})

t.test('rule 3: indexes are unsigned 64-bit numbers, not doubles', async t => {
  const large = (last: number): string => `1844674407370955161${last}`
  t.match(read({ headers: { 'x-consul-index': large(5) } }, large(4)), { kind: 'value', index: large(5) })
  t.match(read({ headers: { 'x-consul-index': large(4) } }, large(5)), { kind: 'error', reset: true })
  t.match(read({ headers: { 'x-consul-index': '10' } }, '9'), { kind: 'value' }, 'compared as numbers, not as text')
})

t.test('rules 2, 8 and 9: answers that may not take anything away', async t => {
  const doubtful: readonly [Record<string, string>, string][] = [
    [{ 'x-consul-knownleader': 'false' }, 'no-leader'],
    [{ 'x-consul-results-filtered-by-acls': 'true' }, 'acl-filtered'],
    [{ 'x-consul-lastcontact': '10001' }, 'stale-server'],
    [{ age: '3' }, 'cached-offline'],
  ]
  for (const [headers, doubt] of doubtful) t.match(read({ headers }), { kind: 'value', doubts: [doubt] }, doubt)
  t.match(read({ headers: { 'x-consul-lastcontact': '10000', age: '0', 'x-consul-results-filtered-by-acls': 'false' } }), { doubts: [] })
  t.match(read({ headers: Object.assign({}, ...doubtful.map(([headers]) => headers)) as Record<string, string> }), {
    doubts: ['no-leader', 'acl-filtered', 'stale-server', 'cached-offline'],
  })
})

t.test('rule 11: a streamed answer knows neither leader nor last contact', async t => {
  const headers = { 'x-consul-query-backend': 'streaming', 'x-consul-knownleader': 'false', 'x-consul-lastcontact': '20000' }
  t.match(read({ headers }), { kind: 'value', doubts: [] })
  t.match(
    read({ headers: { 'x-consul-knownleader': undefined, 'x-consul-lastcontact': undefined } }),
    { doubts: [] },
    'absence is not false',
  )
})

t.test('rule 6: 429, and whatever speaks of a rate limit, is left alone for as long as it asks', async t => {
  t.match(read({ status: 429, headers: { 'retry-after': '7' } }), { kind: 'error', code: 'consul-rate-limit', retryAfterMs: 7000 })
  t.match(read({ status: 500, body: 'RPC rate limit exceeded' }), { code: 'consul-rate-limit', retryAfterMs: 5000 })
  for (const after of ['soon', '-1', '0', '']) {
    t.match(read({ status: 429, headers: { 'retry-after': after } }), { retryAfterMs: 5000 }, `Retry-After "${after}"`)
  }
  t.match(read({ status: 429, headers: { 'retry-after': '99999' } }), { retryAfterMs: 300_000 }, 'not for ever')
})

t.test('refusals say what was answered and what to do', async t => {
  t.match(read({ status: 403, body: 'Permission denied' }), { code: 'consul-acl', text: /Permission denied.*service:read and node:read/ })
  t.match(read({ status: 500, body: 'No cluster leader' }), { code: 'consul-status', text: /500.*No cluster leader/ })
  t.match(read({ status: 301, body: undefined }), { code: 'consul-status' })
  const long = read({ status: 500, body: 'x'.repeat(100_000) })
  t.ok(long.kind === 'error' && long.text.length < 200, 'a long body is cut')
})

t.test('rule 2: a token that never saw everything is believed, one that suddenly sees less is not', async t => {
  const always = new AclBaseline()
  t.equal(always.judge(['acl-filtered']), true, 'from the start')
  t.equal(always.filtered, true)
  t.equal(always.judge(['acl-filtered']), true)
  t.equal(always.judge(['acl-filtered', 'no-leader']), false, 'another doubt stays one')
  t.equal(always.judge([]), true)
  t.equal(always.filtered, false)
  t.equal(always.judge(['acl-filtered']), false, 'it saw everything meanwhile')
  const suddenly = new AclBaseline()
  t.equal(suddenly.judge([]), true)
  t.equal(suddenly.judge(['acl-filtered']), false)
  t.equal(suddenly.judge(['no-leader']), false)
})
