import t from 'tap'
import { maxManifestBytes, ParseMemo, parseManifests, parsing } from '../../src/manifests/parse.ts'
import { finish } from '../../src/model/steps.ts'
import { refText } from '../../src/model/object-ref.ts'

const given = { file: 'web.yaml', namespace: 'default' }
const mapping = (name: string) =>
  `apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: {name: ${name}}\nspec: {prefix: /, service: web}\n`

t.test('every document becomes an object with namespace, labels, spec and the line it starts on', async t => {
  const text = `# comment\n---\n${mapping('one')}---\napiVersion: v1\nkind: Service\nmetadata:\n  name: two\n  namespace: shop\n  labels: {a: b}\n`
  const { objects, problems } = parseManifests(text, given)
  t.same(problems, [])
  t.match(objects, [
    { kind: 'Mapping', namespace: 'default', name: 'one', spec: { prefix: '/' }, ref: { at: 'web.yaml:3' } },
    { kind: 'Service', namespace: 'shop', name: 'two', labels: { a: 'b' }, spec: {}, ref: { at: 'web.yaml:8' } },
  ])
})

t.test('locate gives the line of a field, or of its nearest existing ancestor', async t => {
  const text = `${mapping('one')}---\napiVersion: x/v1\nkind: K\nmetadata: {name: two}\nspec:\n  headers:\n    x-a: b\n  list:\n    - 1\n    - 2\n`
  const [, two] = parseManifests(text, given).objects
  t.equal(two?.locate(['spec', 'headers', 'x-a']), 'web.yaml:11')
  t.equal(two?.locate(['spec', 'headers', 'x-b']), 'web.yaml:10')
  t.equal(two?.locate(['spec', 'list', 1]), 'web.yaml:14')
  t.equal(two?.locate(['spec', 'absent', 'deep']), 'web.yaml:9')
})

t.test('a document that cannot be read says where and why, and takes no other with it', async t => {
  const bad: readonly (readonly [string, string, RegExp, RegExp])[] = [
    ['unclosed quote', 'kind: "Mapping\nmetadata: {name: x}\n', /web\.yaml:\d+$/, /no valid YAML: Missing closing/],
    ['unclosed bracket', 'kind: [a, b\n', /web\.yaml:\d+$/, /no valid YAML/],
    ['tab as indentation', 'kind: Mapping\nmetadata:\n\tname: x\n', /web\.yaml:8$/, /Tabs are not allowed/],
    ['duplicate key', 'kind: Mapping\nkind: Host\n', /web\.yaml:7$/, /Map keys must be unique/],
    ['unknown tag', 'kind: !secret Mapping\n', /web\.yaml:6$/, /Unresolved tag/],
    ['a list', '- 1\n- 2\n', /web\.yaml:6$/, /must be a mapping with apiVersion, kind and metadata, got a list/],
    ['text', 'hello\n', /web\.yaml:6$/, /got the text "hello"/],
    ['no kind', 'apiVersion: v1\nmetadata: {name: x}\n', /web\.yaml:6$/, /kind must be text such as Mapping, got nothing/],
    ['kind of another type', 'apiVersion: v1\nkind: 5\n', /web\.yaml:7$/, /got the number 5/],
    ['no apiVersion', 'kind: Mapping\nmetadata: {name: x}\n', /web\.yaml:6$/, /apiVersion of this Mapping/],
    ['no metadata', 'apiVersion: v1\nkind: Mapping\n', /web\.yaml:6$/, /metadata of this Mapping must be a mapping/],
    ['no name', 'apiVersion: v1\nkind: Mapping\nmetadata: {}\n', /web\.yaml:8$/, /metadata\.name is missing/],
    [
      'numeric name',
      'apiVersion: v1\nkind: Mapping\nmetadata:\n  name: 5\n',
      /web\.yaml:9$/,
      /must be text, got the number 5; put it in quotes/,
    ],
    ['name with a slash', 'apiVersion: v1\nkind: Mapping\nmetadata: {name: a/b}\n', /web\.yaml:8$/, /metadata\.name must be letters/],
    [
      'empty namespace',
      'apiVersion: v1\nkind: Mapping\nmetadata: {name: a, namespace: ""}\n',
      /web\.yaml:8$/,
      /metadata\.namespace must be/,
    ],
    [
      'numeric label',
      'apiVersion: v1\nkind: K\nmetadata:\n  name: a\n  labels:\n    v: 2\n',
      /web\.yaml:11$/,
      /metadata\.labels\.v must be text, got the number 2/,
    ],
    [
      'field beside spec',
      'apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: {name: a}\nprefix: /\n',
      /web\.yaml:9$/,
      /unknown field "prefix" at the top level; fields of a Mapping belong under spec/,
    ],
  ]
  for (const [title, text, at, reason] of bad) {
    const read = parseManifests(`${mapping('before')}---\n${text}---\n${mapping('after')}`, given)
    t.same(
      read.objects.map(object => object.name),
      ['before', 'after'],
      title,
    )
    t.equal(read.problems.length, 1, title)
    t.match(read.problems[0], { at, text: reason }, title)
  }
})

t.test('a kind without namespaces has none, whatever is written', async t => {
  const text = 'apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: mine, namespace: shop}\nspec: {controller: a/b}\n'
  const [read] = parseManifests(text, given).objects
  t.match(read, { namespace: '', ref: { namespace: '' } })
  t.equal(read && refText(read.ref), 'IngressClass mine')
})

t.test('empty documents, comments and documents ended by ... are no problem', async t => {
  const read = parseManifests(
    `---\n# nothing\n---\n\n%YAML 1.2\n---\n${mapping('a')}...\n---\n${mapping('b')}`.replace('\n\n%YAML', '\n...\n%YAML'),
    given,
  )
  t.same(read.problems, [])
  t.same(
    read.objects.map(object => object.name),
    ['a', 'b'],
  )
})

t.test('an alias bomb is refused without being expanded', async t => {
  const levels = Array.from({ length: 12 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(', ')}]`)
  const read = parseManifests(`l0: &l0 [x]\n${levels.join('\n')}\n---\n${mapping('after')}`, given)
  t.match(read.problems, [{ at: 'web.yaml:1', text: /alias.*write the values out/ }])
  t.equal(read.objects.length, 1)
})

t.test('too large a text is refused', async t => {
  const read = parseManifests('#'.repeat(maxManifestBytes + 1), given)
  t.match(read, { objects: [], problems: [{ code: 'manifest-unreadable', text: /larger than/ }] })
})

t.test('lists of objects are flattened, each item judged alone', async t => {
  const text = `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n- {kind: B}\n- apiVersion: v1\n  kind: C\n  metadata: {name: c}\n  spec:\n    x: 1\n`
  const read = parseManifests(text, given)
  t.same(
    read.objects.map(object => object.name),
    ['a', 'c'],
  )
  t.equal(read.objects[1]?.locate(['spec', 'x']), 'web.yaml:10')
  t.match(read.problems, [{ at: 'web.yaml:5' }])
})

t.test('JSON is read as well', async t => {
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'A', metadata: { name: 'a' }, spec: { n: 1 } }, null, 2)
  t.match(parseManifests(text, given).objects, [{ kind: 'A', spec: { n: 1 } }])
})

t.test('objects in the getambassador.io/config annotation follow their carrier, which is their place', async t => {
  const text = `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  labels: {team: a}
  annotations:
    getambassador.io/config: |
      ---
      apiVersion: getambassador.io/v3alpha1
      kind: Mapping
      name: flat
      prefix: /flat/
      service: web
      ---
      apiVersion: getambassador.io/v3alpha1
      kind: Mapping
      metadata: {name: whole}
      spec: {prefix: /whole/, service: web}
      ---
      kind: Mapping
      name: broken
`
  const read = parseManifests(text, given)
  const place = 'web.yaml:8 (annotation of Service shop/web)'
  t.match(read.objects, [
    { kind: 'Service' },
    { name: 'flat', namespace: 'shop', labels: { team: 'a' }, spec: { prefix: '/flat/', service: 'web' }, ref: { at: place } },
    { name: 'whole', namespace: 'shop', spec: { prefix: '/whole/' }, ref: { at: place } },
  ])
  t.match(read.problems, [{ at: place, text: /apiVersion of this Mapping must be text/ }])
})

t.test('a document that stays as it is at the same line stays the same objects; one that moved is only placed anew', t => {
  const memo = new ParseMemo()
  const read = (...documents: readonly string[]) => finish(parsing(documents.join('---\n'), given, memo)).objects
  const [a, b] = read(mapping('a'), mapping('b'))
  const [a2, c, b2] = read(mapping('a'), mapping('c'), mapping('b'))
  t.equal(a2, a)
  t.equal(c?.name, 'c')
  t.not(b2, b)
  t.equal(b2?.spec, b?.spec, 'its text was not parsed again')
  t.not(b2?.ref.at, b?.ref.at)
  t.equal(
    b2?.locate(['spec']),
    parseManifests([mapping('a'), mapping('c'), mapping('b')].join('---\n'), given).objects[2]?.locate(['spec']),
  )
  const [, again] = read(mapping('a'), mapping('b'))
  t.not(again, b, 'what the last text lacked is forgotten')
  const [, one, two] = read(mapping('first'), mapping('same'), mapping('same'))
  t.same([one?.ref.at, two?.ref.at], ['web.yaml:6', 'web.yaml:11'], 'of two documents with one text each has its place')
  t.end()
})

t.test('an object in another place of the same text is not looked for at the former one', t => {
  const memo = new ParseMemo()
  const text = mapping('a')
  const [here] = finish(parsing(text, given, memo)).objects
  const [there] = finish(parsing(text, { ...given, namespace: 'other' }, memo)).objects
  t.not(there, here)
  t.equal(there?.namespace, 'other')
  t.end()
})
