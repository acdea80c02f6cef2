import t from 'tap'
import { addressRules } from '../../src/discovery/address-rules.ts'

t.test('an address is admitted in canonical form, or refused with the setting that would admit it (discovery.md 1.3)', async t => {
  const plain = addressRules({ allow: [], only: [] })
  const table: [string, string | RegExp][] = [
    ['10.1.2.3', '10.1.2.3'],
    ['2001:0db8:0000::0001', '2001:db8::1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['', /no IP address/],
    ['web.example', /no IP address/],
    ['10.1', /no IP address/],
    ['0.0.0.0', /unspecified/],
    ['::', /unspecified/],
    ['127.0.0.1', /loopback: list its range under addresses\.allow/],
    ['::1', /loopback/],
    ['::ffff:127.0.0.1', /loopback/],
    ['169.254.169.254', /link-local/],
    ['fe80::1', /link-local/],
    ['224.0.0.1', /multicast/],
  ]
  for (const [address, expected] of table) {
    if (typeof expected === 'string') t.equal(plain(address), expected)
    else t.throws(() => plain(address), { code: 'address-refused', message: expected }, address)
  }
})

t.test('allow lets a special range in, only restricts the rest', async t => {
  const rules = addressRules({ allow: ['127.0.0.0/8'], only: ['10.0.0.0/8'] })
  t.equal(rules('127.0.0.9'), '127.0.0.9')
  t.equal(rules('10.9.9.9'), '10.9.9.9')
  t.throws(() => rules('192.168.0.1'), { message: /outside addresses\.only \(10\.0\.0\.0\/8\)/ })
  t.throws(() => addressRules({ allow: ['everything'], only: [] }), { code: 'settings-invalid', message: /"everything" is no network/ })
})
