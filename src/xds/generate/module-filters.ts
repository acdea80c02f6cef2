import type { IrAddressRules, IrCompressor, IrGrpcStats, IrHttpOptions } from '../../ir/http-options.ts'
import { any, type PlainMessage } from '../codec.ts'

const filters = 'envoy.extensions.filters.http'

/**
 * The filters that the Module switches on, in the order in which a request meets them (emissary-resources.md 6, "HTTP filter order").
 * Compression counts in the other direction: what is nearer to the client compresses last, and answers that are compressed stay as they are.
 */
export function moduleFilters(options: IrHttpOptions): readonly PlainMessage[] {
  const { grpcHttp1Bridge, grpcWeb, grpcStats, lua, compressors = [], maxRequestBytes, addressRules } = options
  const filter = (name: string, type: string, message: PlainMessage) => ({ name, typedConfig: any(`${filters}.${type}`, message) })
  return [
    ...(grpcHttp1Bridge === undefined ? [] : [filter('envoy.filters.http.grpc_http1_bridge', 'grpc_http1_bridge.v3.Config', {})]),
    ...(grpcWeb === undefined ? [] : [filter('envoy.filters.http.grpc_web', 'grpc_web.v3.GrpcWeb', {})]),
    ...(grpcStats === undefined ? [] : [filter('envoy.filters.http.grpc_stats', 'grpc_stats.v3.FilterConfig', statsConfig(grpcStats))]),
    ...(lua === undefined ? [] : [filter('envoy.filters.http.lua', 'lua.v3.Lua', { defaultSourceCode: { inlineString: lua } })]),
    ...compressors.map((one, index) => filter(`compressor ${one.kind}`, 'compressor.v3.Compressor', compressor(one, index === 0))),
    ...(maxRequestBytes === undefined
      ? []
      : [filter('envoy.filters.http.buffer', 'buffer.v3.Buffer', { maxRequestBytes: { value: maxRequestBytes } })]),
    ...(addressRules === undefined ? [] : [filter('envoy.filters.http.rbac', 'rbac.v3.RBAC', { rules: rules(addressRules) })]),
  ]
}

function statsConfig({ methods, upstream }: IrGrpcStats): PlainMessage {
  return {
    ...(methods === 'all'
      ? { statsForAllMethods: { value: true } }
      : {
          individualMethodStatsAllowlist: {
            services: methods.map(({ service, methods: names }) => ({ name: service, methodNames: names })),
          },
        }),
    enableUpstreamStats: upstream,
  }
}

function compressor(given: IrCompressor, chooseFirst: boolean): PlainMessage {
  const { minBytes, contentTypes, notWithEtag, hideAcceptEncoding } = given
  return {
    responseDirectionConfig: {
      commonConfig: { ...(minBytes === undefined ? {} : { minContentLength: { value: minBytes } }), contentType: contentTypes },
      disableOnEtagHeader: notWithEtag,
      removeAcceptEncodingHeader: hideAcceptEncoding,
    },
    compressorLibrary: { name: given.kind, typedConfig: library(given) },
    // Of several that the client likes as much.
    chooseFirst,
  }
}

function library(given: IrCompressor) {
  const values = (fields: Readonly<Record<string, number | undefined>>): PlainMessage =>
    Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, { value }]])))
  if (given.kind === 'brotli')
    return any('envoy.extensions.compression.brotli.compressor.v3.Brotli', values({ quality: given.quality, windowBits: given.windowBits }))
  return any('envoy.extensions.compression.gzip.compressor.v3.Gzip', {
    ...values({ memoryLevel: given.memoryLevel, windowBits: given.windowBits }),
    ...(given.level === undefined ? {} : { compressionLevel: given.level }),
    ...(given.strategy === undefined ? {} : { compressionStrategy: given.strategy }),
  })
}

function rules({ action, ranges }: IrAddressRules): PlainMessage {
  const principals = ranges.map(({ by, address, bits }) => {
    const range = { addressPrefix: address, prefixLen: { value: bits } }
    return by === 'peer' ? { directRemoteIp: range } : { remoteIp: range }
  })
  return {
    action: action === 'allow' ? 'ALLOW' : 'DENY',
    policies: principals.length === 0 ? {} : { addresses: { permissions: [{ any: true }], principals } },
  }
}
