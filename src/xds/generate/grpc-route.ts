import type { IrHash } from '../../ir/route-action.ts'
import type { IrMatch, IrRoute, IrValueMatch } from '../../ir/route-table.ts'
import { refText } from '../../model/object-ref.ts'
import { duration, type PlainMessage } from '../codec.ts'
import { routeMatch } from './match.ts'

/**
 * The Route of gRPC clients; none for actions that they do not have. They leave the path as it is, whatever `rewrite` says: it is the name
 * of the method (gRFC A28).
 */
export function grpcRoute(route: IrRoute, clusterName: (name: string) => string): readonly PlainMessage[] {
  const { action, origins } = route
  if (action.kind !== 'forward') return []
  return [
    {
      name: origins.map(refText).join(', '),
      match: routeMatch(grpcMatch(route)),
      route: {
        cluster: clusterName(action.cluster),
        // They do not look at `timeout` (gRFC A31). A call's own deadline counts if it is earlier.
        ...(action.timeoutMs === 0 ? {} : { maxStreamDuration: { maxStreamDuration: duration(action.timeoutMs) } }),
        ...(action.hash === undefined ? {} : { hashPolicy: [hashPolicy(action.hash)] }),
      },
    },
  ]
}

function grpcMatch({ match, weight }: IrRoute): IrMatch {
  const { percent, path, query } = match
  return {
    query,
    path: grpcPath(path),
    headers: match.headers.map(one => (one.kind === 'regex' ? { ...one, value: grouped(one.value) } : one)),
    ...(percent === undefined ? {} : { percent: shareOfRest(percent, weight ?? percent), percentOf: 1_000_000 }),
  }
}

/** gRPC has no prefix of segments; a call's path is /SERVICE/METHOD, so what follows a service's name is a slash. */
function grpcPath(path: IrMatch['path']): IrMatch['path'] {
  if (path.kind === 'segments') return { ...path, kind: 'prefix', value: `${path.value}/` }
  return path.kind === 'regex' ? { ...path, value: grouped(path.value) } : path
}

/** Some clients anchor an expression by writing `^` and `$` around it, which would split it at a `|`. */
function grouped(regex: IrValueMatch['value']): string {
  return `(?:${regex})`
}

/** gRPC draws anew for each route, Envoy once for all: here a share is one of what the routes before it left over, in percent. */
function shareOfRest(upTo: number, weight: number): number {
  const rest = 100 - (upTo - weight)
  return rest <= 0 ? 0 : (100 * weight) / rest
}

/** gRPC has neither cookies nor a connection per client: the channel is what its calls have in common (gRFC A42). */
function hashPolicy(hash: IrHash): PlainMessage {
  return hash.kind === 'header' ? { header: { headerName: hash.name } } : { filterState: { key: 'io.grpc.channel_id' } }
}
