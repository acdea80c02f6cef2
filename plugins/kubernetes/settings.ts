import type { Static } from 'typebox'
import { Type } from '../../src/model/type.ts'

const Seconds = (description: string, fallback: number) =>
  Type.Optional(Type.Number({ description, default: fallback, exclusiveMinimum: 0 }))

/** Keys of a source of type `kubernetes`, beside those every source has. */
export const kubernetesSchema = Type.Object({
  kubeconfig: Type.Optional(
    Type.String({
      description: 'kubeconfig file, read again when it changes; without one, the service account of the pod that Isthmus runs in',
      format: 'path',
    }),
  ),
  context: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'context of the kubeconfig; its current one if left out' }),
  ),
  namespaces: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description: 'namespaces to read; ["*"] needs rights in the whole cluster',
      default: ['*'],
      minItems: 1,
    }),
  ),
  nodes: Type.Optional(
    Type.Boolean({ description: 'read nodes, for the region (and zone, where slices have none) of endpoints', default: true }),
  ),
  externalNames: Type.Optional(
    Type.Object({
      allow: Type.Array(Type.String({ minLength: 1 }), {
        description: 'host names that Services of type ExternalName may lead to; *.DOMAIN for all below it',
        default: [],
      }),
      servers: Type.Optional(
        Type.Array(Type.String({ minLength: 1 }), {
          description: "DNS servers to ask for them, ADDRESS or ADDRESS:PORT; default: the machine's own",
        }),
      ),
    }),
  ),
  watches: Type.Optional(
    Type.Object({
      stallSeconds: Seconds('a watch without a byte for this long is given up; API servers send something every minute', 90),
      relistSeconds: Seconds('how often everything is listed anew to find what a watch missed', 2700),
      watchSeconds: Seconds('an API server ends a watch after this long to twice as long', 300),
      pageSize: Type.Optional(Type.Integer({ description: 'objects per page of a list', default: 500, minimum: 1 })),
    }),
  ),
})

export type KubernetesSettings = Static<typeof kubernetesSchema>
