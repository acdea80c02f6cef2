import type {
  IrAccessLog,
  IrAddressRules,
  IrCompressor,
  IrErrorOverride,
  IrGrpcStats,
  IrHeaderCase,
  IrHttpOptions,
} from '../../../ir/http-options.ts'
import { readAddressRange } from '../../../manifests/address-range.ts'
import { type ModuleConfig, moduleConfigSchema } from '../../../manifests/schema/module.ts'
import { withoutUndefined } from '../without-undefined.ts'
import type { Module } from './module.ts'

/**
 * What the Module says of all HTTP listeners (emissary-resources.md 6). A switch that is false is as if it were not there.
 * @param errors what it answers in the place of errors, already read
 */
export function httpOptions({ config, closed }: Module, errors: readonly IrErrorOverride[]): IrHttpOptions {
  const certificate = config.forward_client_cert_details
  return withoutUndefined({
    useRemoteAddress: config.use_remote_address === false ? (false as const) : undefined,
    serverName: config.server_name,
    idleTimeoutMs: config.listener_idle_timeout_ms,
    maxRequestHeadersKb: config.max_request_headers_kb,
    underscores: config.headers_with_underscores_action,
    mergeSlashes: on(config.merge_slashes),
    rejectEscapedSlashes: on(config.reject_requests_with_escaped_slashes),
    stripPort: on(config.strip_matching_host_port),
    preserveRequestId: on(config.preserve_external_request_id),
    continueByUpstream: on(config.proxy_100_continue),
    http10: on(config.enable_http10),
    chunkedLength: on(config.allow_chunked_length),
    headerCase: headerCase(config),
    clientCertificate: certificate === undefined ? undefined : { forward: certificate, tell: certificateParts(config) },
    bufferLimitBytes: config.buffer_limit_bytes,
    runtime: runtimeFlags(config),
    suppressEnvoyHeaders: on(config.suppress_envoy_headers),
    grpcHttp1Bridge: on(config.enable_grpc_http11_bridge),
    grpcWeb: on(config.enable_grpc_web),
    grpcStats: config.grpc_stats === undefined ? undefined : grpcStats(config.grpc_stats),
    lua: config.lua_scripts,
    compressors: compressors(config),
    maxRequestBytes: config.buffer?.max_request_bytes,
    addressRules: closed ? nobody : addressRules(config),
    accessLog: accessLog(config),
    errors: errors.length === 0 ? undefined : errors,
  })
}

/** Whom nobody can ask may let nobody in: as an AuthService that cannot be used. */
const nobody: IrAddressRules = { action: 'allow', ranges: [] }

/** How names of headers are written, towards clients and towards upstreams. */
export function headerCase(config: ModuleConfig): IrHeaderCase | undefined {
  if (config.proper_case === true) return 'proper'
  return config.header_case_overrides === undefined ? undefined : 'preserved'
}

function certificateParts({ set_current_client_cert_details: set = {} }: ModuleConfig) {
  return (['subject', 'cert', 'chain', 'dns', 'uri'] as const).filter(part => set[part] === true)
}

/** Those that the schema knows: other keys are named and do nothing. */
function runtimeFlags({ runtime_flags: flags = {} }: ModuleConfig): IrHttpOptions['runtime'] {
  const known = Object.keys(moduleConfigSchema.properties.runtime_flags.properties)
  const given = Object.entries(flags).filter((entry): entry is [string, number] => known.includes(entry[0]))
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

function grpcStats(given: NonNullable<ModuleConfig['grpc_stats']>): IrGrpcStats {
  const listed = (given.services ?? []).map(({ name, method_names: methods = [] }) => ({ service: name, methods }))
  return { methods: given.all_methods === true ? 'all' : listed, upstream: given.upstream_stats ?? false }
}

const levels: Readonly<Record<string, string>> = { DEFAULT: 'DEFAULT_COMPRESSION', BEST: 'BEST_COMPRESSION', SPEED: 'BEST_SPEED' }
const strategies: Readonly<Record<string, string>> = { DEFAULT: 'DEFAULT_STRATEGY', HUFFMAN: 'HUFFMAN_ONLY' }

/** Brotli goes first: who takes both gets the smaller answer. */
function compressors({ gzip, brotli }: ModuleConfig): readonly IrCompressor[] | undefined {
  const made: readonly IrCompressor[] = [
    ...(brotli === undefined
      ? []
      : [
          {
            kind: 'brotli' as const,
            ...compression(brotli),
            ...withoutUndefined({ quality: brotli.quality, windowBits: brotli.window_bits }),
          },
        ]),
    ...(gzip === undefined
      ? []
      : [
          {
            kind: 'gzip' as const,
            ...compression(gzip),
            ...withoutUndefined({
              memoryLevel: gzip.memory_level,
              level: gzip.compression_level === undefined ? undefined : (levels[gzip.compression_level] ?? gzip.compression_level),
              strategy:
                gzip.compression_strategy === undefined ? undefined : (strategies[gzip.compression_strategy] ?? gzip.compression_strategy),
              windowBits: gzip.window_bits,
            }),
          },
        ]),
  ]
  return made.length === 0 ? undefined : made
}

function compression(given: NonNullable<ModuleConfig['brotli']>) {
  return {
    ...withoutUndefined({ minBytes: given.min_content_length }),
    contentTypes: given.content_type ?? [],
    notWithEtag: given.disable_on_etag_header ?? false,
    hideAcceptEncoding: given.remove_accept_encoding_header ?? false,
  }
}

function addressRules({ ip_allow: allow, ip_deny: deny }: ModuleConfig): IrAddressRules | undefined {
  const rules = allow ?? deny
  if (rules === undefined) return undefined
  return {
    action: allow === undefined ? 'deny' : 'allow',
    ranges: rules.flatMap(({ peer, remote }) => {
      const range = readAddressRange(peer ?? remote ?? '')
      return range === undefined ? [] : [{ by: peer === undefined ? ('remote' as const) : ('peer' as const), ...range }]
    }),
  }
}

/** Emissary's line: Envoy's own with a word before it. */
const defaultLine =
  'ACCESS [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
const defaultFields = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
}
const streams: Readonly<Record<string, 'stdout' | 'stderr'>> = {
  '/dev/fd/1': 'stdout',
  '/dev/stdout': 'stdout',
  '/dev/fd/2': 'stderr',
  '/dev/stderr': 'stderr',
}

/** Written when one of its keys is: many Envoys share a control plane, and none should fill a disk unasked. */
function accessLog({ envoy_log_path: path, envoy_log_type: type, envoy_log_format: format }: ModuleConfig): IrAccessLog | undefined {
  if (path === undefined && type === undefined && format === undefined) return undefined
  const to = path === undefined ? 'stdout' : (streams[path] ?? { file: path })
  if (type === undefined || type === 'text') {
    const line = typeof format === 'string' ? format : defaultLine
    return { to, format: line.endsWith('\n') ? line : `${line}\n` }
  }
  return { to, format: typeof format === 'object' ? format : defaultFields }
}

function on(given: boolean | undefined): true | undefined {
  return given === true ? true : undefined
}
