import { Type } from '../../model/type.ts'
import { ambassadorId, closed, filled } from './fields.ts'

/** The two Kubernetes resolvers: the kind alone says what they do (emissary-resources.md 7). */
export const kubernetesResolverSchema = Type.Object({ ambassador_id: ambassadorId() }, closed)

/** emissary-resources.md 9. The address is read in compile, where the environment is known. */
export const consulResolverSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    address: Type.String({ minLength: 1, description: 'host[:port] or URL; $NAME and ${NAME} are taken from the environment' }),
    datacenter: Type.Optional(filled()),
  },
  closed,
)
