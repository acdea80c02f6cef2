import fc from 'fast-check'
import t from 'tap'
import { decodeMessage, encodeMessage } from '../../src/xds/codec.ts'
import { ResponseFramer } from '../../src/xds/frames.ts'
import { makeResource, type Resource } from '../../src/xds/resource.ts'
import { resourceTypes, typeUrls } from '../../src/xds/type-urls.ts'

const framer = new ResponseFramer('isthmus-1')
const identifier = { controlPlane: { identifier: 'isthmus-1' } }

/** The same response as the codec writes it; Buffers of any content stand for resources. */
function expected(
  form: 'delta' | 'sotw' | 'wrapped',
  resources: readonly Resource[],
  removed: readonly string[],
  nonce: string,
  version: string,
) {
  const typeUrl = typeUrls.cluster
  const resource = ({ name, version: own, bytes }: Resource) => ({ name, version: own, resource: { type_url: typeUrl, value: bytes } })
  if (form === 'delta') {
    const list = resources.map(resource)
    const fields = { systemVersionInfo: version, resources: list, typeUrl, nonce, removedResources: removed, ...identifier }
    return encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', fields)
  }
  const list = resources.map(one =>
    form === 'sotw'
      ? { type_url: typeUrl, value: one.bytes }
      : {
          type_url: 'type.googleapis.com/envoy.service.discovery.v3.Resource',
          value: encodeMessage('envoy.service.discovery.v3.Resource', resource(one)),
        },
  )
  return encodeMessage('envoy.service.discovery.v3.DiscoveryResponse', {
    versionInfo: version,
    resources: list,
    typeUrl,
    nonce,
    ...identifier,
  })
}

/** Field order is free, so messages are compared as what they decode to; sizes must be equal, so that nothing is there twice. */
function sameMessage(
  t: { same(a: unknown, b: unknown): boolean; equal(a: unknown, b: unknown): boolean },
  form: string,
  found: Buffer,
  wanted: Buffer,
) {
  const name = `envoy.service.discovery.v3.${form === 'delta' ? 'DeltaDiscoveryResponse' : 'DiscoveryResponse'}`
  t.equal(found.length, wanted.length)
  t.same(decodeMessage(name, found), decodeMessage(name, wanted))
}

const cluster = (name: string) => makeResource('cluster', name, encodeMessage('envoy.config.cluster.v3.Cluster', { name }))

t.test('a response from frames is what the codec would write', async t => {
  const anyName = fc.string({ minLength: 1, unit: 'grapheme', maxLength: 300 })
  const anyResources = fc.uniqueArray(anyName, { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      anyResources,
      anyResources,
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1 }),
      async (names, removed, nonce, version) => {
        const resources = names.map(cluster)
        const envelope = { typeUrl: typeUrls.cluster, nonce, version }
        const results = {
          same: (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b) || fail(a, b),
          equal: (a: unknown, b: unknown) => a === b || fail(a, b),
        }
        // Twice, since the second time the frames are known.
        for (let round = 0; round < 2; round++) {
          sameMessage(
            results,
            'delta',
            Buffer.concat(framer.delta(resources, removed, envelope)),
            expected('delta', resources, removed, nonce, version),
          )
          for (const form of ['sotw', 'wrapped'] as const) {
            sameMessage(
              results,
              form,
              Buffer.concat(framer.sotw(resources, form === 'wrapped', envelope)),
              expected(form, resources, [], nonce, version),
            )
          }
        }
        await Promise.resolve()
      },
    ),
    { numRuns: 100 },
  )
  t.pass('for 100 random responses')
})

function fail(found: unknown, wanted: unknown): never {
  throw new Error(`${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
}

t.test('lengths around the limits of the varint are right', t => {
  for (const length of [0, 100, 126, 127, 128, 129, 16_000, 16_300, 16_383, 16_384, 16_500, 2_100_000]) {
    const value = Buffer.alloc(length, 1)
    const bytes = encodeMessage('google.protobuf.Any', { type_url: 'type.googleapis.com/nothing.Known', value })
    // What a resource holds is of no concern to frames: here a message whose length can be chosen.
    const resource = makeResource('cluster', 'a', bytes)
    const found = Buffer.concat(framer.delta([resource], [], { typeUrl: typeUrls.cluster, nonce: '1', version: '1' }))
    t.ok(found.length === expected('delta', [resource], [], '1', '1').length, `${String(length)} bytes`)
    t.ok(found.includes(bytes))
  }
  t.end()
})

t.test('one set of resource bytes is shared by all responses', t => {
  const resource = cluster('a')
  const envelope = { typeUrl: typeUrls.cluster, nonce: '1', version: '1' }
  for (const parts of [
    framer.delta([resource], [], envelope),
    framer.sotw([resource], false, envelope),
    framer.sotw([resource], true, envelope),
  ]) {
    t.ok(parts.includes(resource.bytes), 'not copied')
  }
  const [first, second] = [framer.delta([resource], [], envelope), framer.delta([resource], [], { ...envelope, nonce: '2' })]
  t.equal(first[0], second[0], 'nor is the head made twice')
  t.end()
})

t.test('C15 each type goes by its own URL', t => {
  for (const type of resourceTypes) {
    const resource = makeResource(type, 'a', Buffer.alloc(0))
    const response = decodeMessage(
      'envoy.service.discovery.v3.DeltaDiscoveryResponse',
      Buffer.concat(framer.delta([resource], [], { typeUrl: typeUrls[type], nonce: '1', version: '1' })),
    )
    t.match(response, { typeUrl: typeUrls[type], resources: [{ name: 'a', resource: { '@type': typeUrls[type] } }] })
  }
  t.end()
})
