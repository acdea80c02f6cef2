import t from 'tap'
import { addressRules } from '../../src/discovery/address-rules.ts'
import { RefusedAddresses } from '../../src/discovery/refused-addresses.ts'

t.test('what the address rules refuse is remembered by canonical address, with why and when; within bounds', t => {
  let now = 5
  const refused = new RefusedAddresses(() => now)
  const admit = refused.noting(addressRules({ allow: [], only: ['10.0.0.0/8'] }))
  t.equal(admit('10.0.0.1'), '10.0.0.1')
  t.equal(refused.of('10.0.0.1'), undefined)
  t.throws(() => admit('::ffff:127.0.0.1'), { code: 'address-refused' })
  t.match(refused.of('127.0.0.1'), { text: /loopback.*addresses\.allow/, at: 5 })
  now = 9
  t.throws(() => admit('127.0.0.1'))
  t.match(refused.of('127.0.0.1'), { at: 9 }, 'the last time')
  for (let index = 0; index < 999; index++) t.throws(() => admit(`192.0.${String(index >> 8)}.${String(index & 255)}`))
  t.ok(refused.of('127.0.0.1'))
  t.throws(() => admit('web.example'))
  t.match(refused.of('web.example'), { text: /no IP address/ })
  t.equal(refused.of('127.0.0.1'), undefined, 'the oldest goes first')
  t.end()
})
