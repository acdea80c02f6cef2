import t from 'tap'
import { createLog } from '../../src/telemetry/log.ts'

t.test('one JSON line per event, with level and gateway, secrets replaced', async t => {
  const lines: string[] = []
  const log = createLog({ level: 'info', id: 'edge-1', destination: { write: line => lines.push(line) } })
  log.debug({}, 'not shown')
  log.info({ source: 'dc1', token: 'abc', headers: { authorization: 'Bearer abc' }, error: new Error('no') }, 'read')
  t.equal(lines.length, 1)
  t.notMatch(lines[0], /abc/)
  t.match(JSON.parse(lines[0] ?? ''), { level: 'info', gateway: 'edge-1', source: 'dc1', msg: 'read', error: { message: 'no' } })
  log.level = 'debug'
  log.debug({}, 'shown')
  t.equal(lines.length, 2, 'the level may change while it runs')
})
