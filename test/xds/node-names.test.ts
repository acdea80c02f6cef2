import t from 'tap'
import { certificateNames, namesNode } from '../../src/xds/node-names.ts'

t.test('L10 names are read from a certificate as Node shows them', async t => {
  const cases: readonly (readonly [string | undefined, readonly string[]])[] = [
    [undefined, []],
    ['', []],
    ['DNS:a.test, URI:spiffe://corp/ns/x/sa/edge, IP Address:10.0.0.1, email:a@b', ['a.test', 'spiffe://corp/ns/x/sa/edge', '10.0.0.1']],
    ['DNS:"a, DNS:edge", DNS:b', ['a, DNS:edge', 'b']],
  ]
  for (const [subjectaltname, names] of cases)
    t.same(certificateNames(subjectaltname === undefined ? {} : { subjectaltname }), names, String(subjectaltname))
})

t.test('L10 a certificate speaks for the node or the cluster that it names, and for no other', async t => {
  const node = { id: 'edge-1.corp', cluster: 'edge' }
  for (const name of ['edge-1.corp', 'edge', '*.corp', 'spiffe://td/ns/a/sa/edge', 'spiffe://td/edge-1.corp'])
    t.ok(namesNode([name], node), name)
  for (const name of [
    '',
    'edge-1',
    'corp',
    '*',
    '*.edge-1.corp',
    '*.edge',
    'spiffe://edge',
    'spiffe://td/edge/other',
    'xspiffe://td/edge',
    'dge',
  ])
    t.notOk(namesNode([name], node), name)
  t.notOk(namesNode([], node))
  t.notOk(namesNode([''], { id: '', cluster: '' }), 'no name is nobody')
  t.notOk(namesNode(['*.corp'], { id: 'a.b.corp', cluster: '' }), 'one label more, not two')
})
