import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { choice, closed, filled, port, text, texts } from './fields.ts'

const backend = () =>
  Type.Object(
    {
      service: Type.Optional(
        Type.Object(
          {
            name: filled(),
            port: Type.Optional(Type.Object({ number: Type.Optional(port()), name: Type.Optional(filled()) }, closed)),
          },
          closed,
        ),
      ),
      resource: Type.Optional(Type.Object({ apiGroup: Type.Optional(text()), kind: filled(), name: filled() }, closed)),
    },
    closed,
  )

/** Ingress of networking.k8s.io/v1, as its own specification has it. */
export const ingressSchema = Type.Object(
  {
    ingressClassName: Type.Optional(filled()),
    defaultBackend: Type.Optional(backend()),
    tls: Type.Optional(Type.Array(Type.Object({ hosts: Type.Optional(texts()), secretName: Type.Optional(text()) }, closed))),
    rules: Type.Optional(
      Type.Array(
        Type.Object(
          {
            host: Type.Optional(text()),
            http: Type.Optional(
              Type.Object(
                {
                  paths: Type.Array(
                    Type.Object(
                      {
                        path: Type.Optional(text()),
                        pathType: choice('Exact', 'Prefix', 'ImplementationSpecific'),
                        backend: backend(),
                      },
                      closed,
                    ),
                  ),
                },
                closed,
              ),
            ),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
)

export type IngressSpec = Static<typeof ingressSchema>
export type IngressBackend = NonNullable<IngressSpec['defaultBackend']>

/** IngressClass of networking.k8s.io/v1. */
export const ingressClassSchema = Type.Object(
  {
    controller: Type.Optional(text()),
    parameters: Type.Optional(
      Type.Object(
        {
          apiGroup: Type.Optional(text()),
          kind: filled(),
          name: filled(),
          namespace: Type.Optional(text()),
          scope: Type.Optional(text()),
        },
        closed,
      ),
    ),
  },
  closed,
)
