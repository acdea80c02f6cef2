import type { IrLocalRateLimit } from '../../ir/http-options.ts'
import {
  commonErrorsFilter,
  errorsFilter,
  type IrAuth,
  type IrAuthCheck,
  type IrDescriptor,
  type IrDescriptorEntry,
  type IrHttpServices,
  type IrRateLimit,
  type IrRouteFilter,
  type IrService,
  localLimitFilter,
} from '../../ir/http-services.ts'
import { any, duration, type PlainAny, type PlainMessage } from '../codec.ts'
import { customResponse } from './error-overrides.ts'
import { moduleFilters } from './module-filters.ts'

const filters = 'envoy.extensions.filters.http'

/** The name by which routes speak to it. */
export const corsFilter = 'envoy.filters.http.cors'

/**
 * The HTTP filters before the router, in the order requests meet them: the Module's, answers to errors, cors, the local limit, auth, rate limits
 * (emissary-resources.md 6). Cors and the local limit are always there, asleep: an edit of a Mapping must not change a listener.
 */
export function httpFilters({ auth, rateLimits, options }: IrHttpServices): readonly PlainMessage[] {
  const cors = { name: corsFilter, typedConfig: any(`${filters}.cors.v3.Cors`, {}) }
  const errors = [
    ...(options.errors === undefined ? [] : [{ name: commonErrorsFilter, typedConfig: customResponse(options.errors) }]),
    ...(options.errorsOfRoutes === undefined ? [] : [{ name: errorsFilter, typedConfig: customResponse([]), disabled: true }]),
  ]
  const limit = {
    name: localLimitFilter,
    typedConfig: any(`${filters}.local_ratelimit.v3.LocalRateLimit`, { statPrefix: 'local_rate_limit' }),
    disabled: true,
  }
  return [...moduleFilters(options), ...errors, cors, limit, ...auth.map(authFilter), ...rateLimits.map(rateLimitFilter)]
}

/** The clusters that a listener's own filters, logs and traces name. */
export function serviceClusters({ auth, rateLimits, logs, tracing }: IrHttpServices): readonly string[] {
  const names = [
    ...auth.flatMap(({ check }) => (check === undefined ? [] : [check.service.cluster])),
    ...rateLimits.map(one => one.service.cluster),
    ...logs.map(one => one.service.cluster),
    ...(tracing === undefined ? [] : [tracing.collector.service.cluster]),
  ]
  return [...new Set(names)].sort()
}

/** What a route says to one filter. */
export function routeFilter(given: IrRouteFilter): PlainAny {
  if (given.kind === 'errors') return customResponse(given.overrides)
  if (given.kind === 'local-limit') return any(`${filters}.local_ratelimit.v3.LocalRateLimit`, localRateLimit(given.limit))
  if (given.kind === 'off') return any('envoy.config.route.v3.FilterConfig', { disabled: true })
  return any(`${filters}.ext_authz.v3.ExtAuthzPerRoute`, { checkSettings: { contextExtensions: given.context } })
}

/** The RateLimit of one descriptor. */
export function rateLimit({ stage, entries }: IrDescriptor): PlainMessage {
  return { stage: { value: stage }, actions: entries.map(action) }
}

function authFilter({ filter, check, optIn }: IrAuth): PlainMessage {
  const typedConfig =
    check === undefined
      ? // Who cannot be asked allows nothing (emissary-resources.md 7: fails closed with 500).
        any(`${filters}.fault.v3.HTTPFault`, { abort: { httpStatus: 500, percentage: { numerator: 100, denominator: 'HUNDRED' } } })
      : any(`${filters}.ext_authz.v3.ExtAuthz`, extAuthz(check))
  return { name: filter, typedConfig, ...(optIn ? { disabled: true } : {}) }
}

function extAuthz(check: IrAuthCheck): PlainMessage {
  const { body, failOpen, statusOnError } = check
  return {
    transportApiVersion: 'V3',
    ...(check.protocol === 'grpc' ? { grpcService: questionService(check) } : httpAuth(check)),
    // The answer may set headers that routes match on.
    clearRouteCache: true,
    failureModeAllow: failOpen,
    statusOnError: { code: statusOnError },
    ...(body === undefined ? {} : { withRequestBody: { maxRequestBytes: body.maxBytes, allowPartialMessage: body.allowPartial } }),
  }
}

/** gRPC services get the headers as metadata. */
function questionService({ service, timeoutMs, addHeaders }: IrAuthCheck): PlainMessage {
  const headers = Object.entries(addHeaders).map(([key, value]) => ({ key, value }))
  return { ...grpcService(service, timeoutMs), ...(headers.length === 0 ? {} : { initialMetadata: headers }) }
}

function httpAuth({ service, timeoutMs, pathPrefix, addHeaders, requestHeaders, answerHeaders }: IrAuthCheck): PlainMessage {
  const answers = { patterns: answerHeaders.map(exactly) }
  return {
    allowedHeaders: { patterns: requestHeaders.map(exactly) },
    httpService: {
      serverUri: { uri: `http://${service.authority}`, cluster: service.cluster, timeout: duration(timeoutMs) },
      pathPrefix,
      authorizationRequest: { headersToAdd: Object.entries(addHeaders).map(([key, value]) => ({ key, value })) },
      authorizationResponse: { allowedUpstreamHeaders: answers, allowedClientHeaders: answers },
    },
  }
}

function exactly(name: string): PlainMessage {
  return { exact: name, ignoreCase: true }
}

function rateLimitFilter(given: IrRateLimit): PlainMessage {
  const { filter, service, domain, stage, timeoutMs, failClosed, resourceExhausted } = given
  const config = {
    domain,
    stage,
    timeout: duration(timeoutMs),
    failureModeDeny: failClosed,
    rateLimitedAsResourceExhausted: resourceExhausted,
    rateLimitService: { grpcService: grpcService(service, timeoutMs), transportApiVersion: 'V3' },
  }
  return { name: filter, typedConfig: any(`${filters}.ratelimit.v3.RateLimit`, config) }
}

/** The GrpcService of a service; `timeoutMs` undefined: a stream without end. */
export function grpcService({ cluster, authority }: IrService, timeoutMs?: number): PlainMessage {
  return { envoyGrpc: { clusterName: cluster, authority }, ...(timeoutMs === undefined ? {} : { timeout: duration(timeoutMs) }) }
}

function action(entry: IrDescriptorEntry): PlainMessage {
  switch (entry.kind) {
    case 'source_cluster':
      return { sourceCluster: {} }
    case 'destination_cluster':
      return { destinationCluster: {} }
    case 'remote_address':
      return { remoteAddress: {} }
    case 'generic_key':
      return { genericKey: { descriptorKey: entry.key, descriptorValue: entry.value } }
    case 'request_header':
      return { requestHeaders: { headerName: entry.header, descriptorKey: entry.key, skipIfAbsent: entry.optional } }
  }
}

/** Each Envoy counts for itself, and nobody is asked. */
function localRateLimit({ requests, intervalMs, burst, status, perConnection }: IrLocalRateLimit): PlainMessage {
  const all = { defaultValue: { numerator: 100, denominator: 'HUNDRED' } }
  return {
    statPrefix: 'local_rate_limit',
    tokenBucket: { maxTokens: burst, tokensPerFill: { value: requests }, fillInterval: duration(intervalMs) },
    filterEnabled: all,
    filterEnforced: all,
    status: { code: status },
    localRateLimitPerDownstreamConnection: perConnection,
  }
}
