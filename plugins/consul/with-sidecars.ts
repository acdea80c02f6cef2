import type { ConsulClient, ConsulQuery } from './client.ts'
import type { HealthEntry } from './entry.ts'
import type { ConsulAnswer } from './reading.ts'

/** The instances of a service, and what of the mesh stands in front of them, as they were read last. */
interface Both {
  readonly plain: ConsulAnswer
  readonly mesh: ConsulAnswer
}

/**
 * The client, its answers about a service joined with those of `/v1/health/connect`: entries that came from there say so. Two queries block,
 * and the first answer ends both; the index is the sum of the two, which grows with either.
 */
export function withSidecars(client: ConsulClient): ConsulClient {
  const last = new Map<string, { readonly index: string; readonly both: Both }>()
  const keep = (service: string, both: Both): ConsulAnswer => {
    const answer = join(both)
    const index = indexOf(answer)
    if (answer.status === 200 && index !== undefined) last.set(service, { index: String(index), both })
    return answer
  }
  const readBoth = async (service: string, query: ConsulQuery): Promise<ConsulAnswer> => {
    const whole = { ...query, index: undefined }
    const [plain, mesh] = await Promise.all([client.healthService(service, whole), client.healthConnect(service, whole)])
    return keep(service, { plain, mesh })
  }
  return {
    ...client,
    async healthService(service, query) {
      const known = last.get(service)
      if (known === undefined || query.index !== known.index) return readBoth(service, query)
      const { plain, mesh } = known.both
      const over = new AbortController()
      const signal = AbortSignal.any([query.signal, over.signal])
      const of = (former: ConsulAnswer): ConsulQuery => ({ ...query, index: String(indexOf(former)), signal })
      try {
        const next = await Promise.race([
          client.healthService(service, of(plain)).then(answer => ({ answer, former: plain, both: { plain: answer, mesh } })),
          client.healthConnect(service, of(mesh)).then(answer => ({ answer, former: mesh, both: { plain, mesh: answer } })),
        ])
        // One that went back is for the caller to refuse: it is below the sum.
        if ((indexOf(next.answer) ?? 0n) < (indexOf(next.former) ?? 0n)) return next.answer
        return keep(service, next.both)
      } finally {
        over.abort()
      }
    },
  }
}

/** One that is no list of entries comes through as it is. Doubts about one are doubts about both. */
function join({ plain, mesh }: Both): ConsulAnswer {
  const odd = [plain, mesh].find(one => one.status !== 200 || !Array.isArray(one.body) || indexOf(one) === undefined)
  if (odd !== undefined) return odd
  const sidecars = (mesh.body as readonly HealthEntry[]).map(entry => ({ ...entry, viaConnect: true }))
  return {
    status: 200,
    headers: { ...plain.headers, ...doubts(mesh), 'x-consul-index': String((indexOf(plain) ?? 0n) + (indexOf(mesh) ?? 0n)) },
    body: [...(plain.body as readonly unknown[]), ...sidecars],
  }
}

/** Headers that say why nothing may vanish because of an answer (reading.ts), where they do. */
function doubts({ headers }: ConsulAnswer): ConsulAnswer['headers'] {
  const all = Object.entries({
    'x-consul-knownleader': 'false',
    'x-consul-results-filtered-by-acls': 'true',
  }).filter(
    ([name, bad]) => headers[name] === bad && !(name === 'x-consul-knownleader' && headers['x-consul-query-backend'] === 'streaming'),
  )
  const grown = ['x-consul-lastcontact', 'age'].filter(name => Number(headers[name] ?? 0) > 0)
  return Object.fromEntries([...all, ...grown.map(name => [name, headers[name]] as const)])
}

function indexOf({ headers }: ConsulAnswer): bigint | undefined {
  const text = headers['x-consul-index']
  return typeof text === 'string' && /^\d{1,20}$/.test(text) && BigInt(text) > 0n ? BigInt(text) : undefined
}
