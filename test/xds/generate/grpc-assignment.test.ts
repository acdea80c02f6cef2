import t from 'tap'
import type { AssignmentSpec } from '../../../src/ir/assignment.ts'
import { type Endpoint, makeEndpoint } from '../../../src/model/endpoint.ts'
import { serviceKey } from '../../../src/model/service-key.ts'
import { EndpointTable } from '../../../src/table/endpoint-table.ts'
import { decodeMessage } from '../../../src/xds/codec.ts'
import { generateGrpcAssignment } from '../../../src/xds/generate/grpc-assignment.ts'

const service = serviceKey('shop', 'web')
const spec: AssignmentSpec = { name: 'grpc|shop/web', service, port: { kind: 'default', tls: false }, members: { kind: 'all' } }

/** `priority zone weight: address weight, …` of each locality. */
function assigned(...endpoints: readonly Partial<Endpoint>[]): readonly string[] {
  const table = new EndpointTable(() => undefined)
  const made = endpoints.map((one, index) =>
    makeEndpoint({ address: `10.0.0.${String(index + 1)}`, port: 80, id: String(index), weight: 1, ...one }),
  )
  table.apply({ name: 'vms', type: 'vm' }, [{ id: 'g', service, endpoints: made }], 1)
  table.settle()
  const resource = generateGrpcAssignment(spec, table.pool(service))
  t.equal(resource.onDemand, true)
  const message = decodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', resource.bytes) as unknown as Decoded
  return (message.endpoints ?? []).map(
    ({ priority = 0, locality, loadBalancingWeight, lbEndpoints }) =>
      `${String(priority)} ${locality.zone ?? '-'} ${String(loadBalancingWeight)}: ${lbEndpoints
        .map(one => `${one.endpoint.address.socketAddress.address} ${String(one.loadBalancingWeight)} ${one.healthStatus}`)
        .join(', ')}`,
  )
}

interface Decoded {
  readonly endpoints?: readonly {
    readonly priority?: number
    readonly locality: { readonly zone?: string }
    readonly loadBalancingWeight: number
    readonly lbEndpoints: readonly {
      readonly healthStatus: string
      readonly loadBalancingWeight: number
      readonly endpoint: { readonly address: { readonly socketAddress: { readonly address: string } } }
    }[]
  }[]
}

const zone = (name: string) => ({ locality: { region: '', zone: name, subzone: '' } })

t.test('A27 every locality is named and weighted, nameless ones too', async t => {
  t.same(assigned({ weight: 2 }, { weight: 3 }, { weight: 4, ...zone('b') }, zone('a')), [
    '0 - 5: 10.0.0.1 2 HEALTHY, 10.0.0.2 3 HEALTHY',
    '0 a 1: 10.0.0.4 1 HEALTHY',
    '0 b 4: 10.0.0.3 4 HEALTHY',
  ])
  t.same(assigned(), [])
})

t.test('A27, G7 degraded endpoints come after healthy ones, and alone if there is none; others are left out', async t => {
  t.same(assigned({ health: 'degraded' }, { health: 'healthy' }, { health: 'unknown' }, { health: 'unhealthy' }, { health: 'draining' }), [
    '0 - 2: 10.0.0.2 1 HEALTHY, 10.0.0.3 1 HEALTHY',
    '1 - 1: 10.0.0.1 1 HEALTHY',
  ])
  t.same(assigned({ health: 'degraded' }, { presence: 'expired' }), ['0 - 1: 10.0.0.1 1 HEALTHY'])
})

t.test('weights of one priority fit into 32 bits together', async t => {
  const heavy = { weight: 0xffff_ffff }
  const weights = assigned(heavy, heavy, { ...heavy, ...zone('a') }).map(line => Number(/ (\d+):/.exec(line)?.[1]))
  t.ok(weights.reduce((one, other) => one + other, 0) <= 0xffff_ffff)
})
