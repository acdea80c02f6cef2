import type { FastifyInstance } from 'fastify'
import type { Override } from '../../model/override.ts'
import { serviceKey } from '../../model/service-key.ts'
import { whatIfBodyOf } from '../bodies/what-if.ts'
import { parseAddress } from '../explain.ts'
import { invalid } from '../problem.ts'
import { noQuery } from '../schemas.ts'
import { whatIfBody, type WhatIfRequest, whatIfRequest } from '../what-if-schemas.ts'
import type { RouteContext } from './context.ts'

/** Manifests of a whole gateway may be asked about. 10 MiB. */
const bodyLimit = 10 * 1_048_576
const usualLimit = 1000

/** `POST /what-if`: what would be served, before it happens. */
export function addWhatIf(app: FastifyInstance, { readers }: RouteContext): void {
  app.post<{ Body: WhatIfRequest }>(
    '/what-if',
    {
      bodyLimit,
      schema: {
        summary: 'What would be served if: nothing is changed',
        description:
          'The difference of endpoints, clusters, routes and traffic shares, computed by what serves, on a copy. Endpoints that would drain ' +
          'for a while are taken to be gone. With sources that are down there are several stages; see docs/what-if.md.',
        tags: ['what-if'],
        querystring: noQuery,
        body: whatIfRequest,
        response: { 200: whatIfBody },
      },
    },
    async request => {
      const { manifests = [], without = [], sources = [], overrides = [], unset = [], place, limit = usualLimit } = request.body
      const files = typeof manifests === 'string' ? [{ text: manifests }] : manifests
      const names = sources.map(one => one.name)
      const twice = names.find((name, index) => names.indexOf(name) !== index)
      if (twice !== undefined) throw invalid(`body "sources" names ${twice} twice`)
      const { revision } = readers.table
      const consequences = await readers.whatIf({
        files: files.map(({ file = 'manifests', text }) => ({ file, text })),
        ...{ without, sources, unset, most: limit },
        ...(place === undefined ? {} : { place: { region: '', zone: '', ...place } }),
        overrides: overrides.map(overrideOf),
      })
      return whatIfBodyOf(consequences, revision, limit)
    },
  )
}

function overrideOf({ id, service, address, action, value }: NonNullable<WhatIfRequest['overrides']>[number], index: number): Override {
  if ((action === 'weight') !== (value !== undefined)) throw invalid('body "overrides": a value belongs to action weight, and only there')
  const [namespace = '', name = ''] = service.split('/')
  return {
    id: id ?? `what-if ${index}`,
    service: serviceKey(namespace, name),
    ...parseAddress(address, 'body'),
    action,
    ...(value === undefined ? {} : { value }),
    ...{ reason: 'what if', actor: 'what-if' },
  }
}
