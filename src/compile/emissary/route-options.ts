import type { IrAddedHeader } from '../../ir/cluster-options.ts'
import type { IrCors, IrForward, IrHeaderChanges, IrRedirect } from '../../ir/route-action.ts'
import { durationMs } from '../../manifests/check-values.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import type { MappingSpec } from '../../manifests/schema/mapping.ts'
import { addedHeaders } from './cluster-options.ts'
import { parseServiceName } from './service-name.ts'

/** What each Mapping says of its own requests (emissary-resources.md 11: rewrite, host_rewrite, time-outs are per member of a group). */
export function ownAction({ spec }: Checked<'Mapping'>): Pick<IrForward, 'rewrite' | 'hostRewrite' | 'idleTimeoutMs'> {
  const rewrite = spec.rewrite ?? '/'
  return {
    ...(rewrite === '' ? {} : { rewrite }),
    ...(spec.host_rewrite !== undefined
      ? { hostRewrite: { kind: 'literal', host: spec.host_rewrite } as const }
      : spec.auto_host_rewrite === true
        ? { hostRewrite: { kind: 'auto' } as const }
        : {}),
    ...(spec.idle_timeout_ms === undefined ? {} : { idleTimeoutMs: spec.idle_timeout_ms }),
  }
}

/** Fields that all members of a group share: the last one that has it decides (emissary-resources.md 11, "Grouping"). */
export const groupFields = ['cors', 'retry_policy', 'regex_rewrite', 'allow_upgrade', 'use_websocket', 'priority'] as const

/** The action's part that the group decides. */
export function groupAction(
  spec: Pick<MappingSpec, (typeof groupFields)[number]>,
): Pick<IrForward, 'retry' | 'regexRewrite' | 'upgrades' | 'priority'> {
  const { retry_policy: retry, regex_rewrite: regex } = spec
  const upgrades = [...new Set([...(spec.allow_upgrade ?? []), ...(spec.use_websocket === true ? ['websocket'] : [])])]
  return {
    ...(regex === undefined ? {} : { regexRewrite: { pattern: regex.pattern, substitution: regex.substitution ?? '' } }),
    ...(retry?.retry_on === undefined
      ? {}
      : {
          retry: {
            on: retry.retry_on,
            retries: retry.num_retries ?? 1,
            ...(retry.per_try_timeout === undefined ? {} : { perTryTimeoutMs: durationMs(retry.per_try_timeout) }),
          },
        }),
    ...(upgrades.length === 0 ? {} : { upgrades }),
    ...(spec.priority === 'high' ? { priority: 'high' as const } : {}),
  }
}

export function corsOf({ cors }: Pick<MappingSpec, 'cors'>): IrCors | undefined {
  if (cors === undefined) return undefined
  return {
    origins: cors.origins ?? [],
    methods: cors.methods ?? [],
    headers: cors.headers ?? [],
    exposedHeaders: cors.exposed_headers ?? [],
    credentials: cors.credentials ?? false,
    ...(cors.max_age === undefined ? {} : { maxAge: cors.max_age }),
  }
}

/** Header changes of a group: those of all members together, a later one before an earlier one of the same name. */
export function headerChanges(
  members: readonly { readonly mapping: Checked<'Mapping'>; readonly linkerd?: readonly IrAddedHeader[] }[],
): IrHeaderChanges | undefined {
  const add = (field: 'add_request_headers' | 'add_response_headers') =>
    addedHeaders(members.map(({ mapping }) => lowerCased(mapping.spec[field])).reduce((before, later) => ({ ...before, ...later }), {}))
  const remove = (field: 'remove_request_headers' | 'remove_response_headers') =>
    [...new Set(members.flatMap(({ mapping }) => mapping.spec[field] ?? []).map(name => name.toLowerCase()))].sort()
  const changes: IrHeaderChanges = {
    addRequest: [...add('add_request_headers'), ...(members.find(({ linkerd }) => linkerd !== undefined)?.linkerd ?? [])],
    removeRequest: remove('remove_request_headers'),
    addResponse: add('add_response_headers'),
    removeResponse: remove('remove_response_headers'),
  }
  const { addRequest, removeRequest, addResponse, removeResponse } = changes
  return addRequest.length + removeRequest.length + addResponse.length + removeResponse.length === 0 ? undefined : changes
}

function lowerCased<T>(given: Readonly<Record<string, T>> | undefined): Record<string, T> {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
}

/** The redirect of a Mapping with `host_redirect`: its service is the host to go to; a sentence if that means nothing. */
export function redirectOf({ spec }: Checked<'Mapping'>): IrRedirect | string {
  const target = parseServiceName(spec.service)
  if (typeof target === 'string') return target
  if (typeof target.port === 'string') return `"${spec.service}": a client needs the number of the port to go to`
  const { path_redirect: whole, prefix_redirect: prefix, regex_redirect: regex } = spec
  const path: IrRedirect['path'] =
    whole !== undefined
      ? { kind: 'whole', path: whole }
      : prefix !== undefined
        ? { kind: 'prefix', path: prefix }
        : regex !== undefined
          ? { kind: 'regex', pattern: regex.pattern, substitution: regex.substitution ?? '' }
          : undefined
  return {
    kind: 'redirect',
    ...(target.scheme === 'https' ? { scheme: 'https' } : {}),
    host: target.name,
    ...(target.port === undefined ? {} : { port: target.port }),
    ...(path === undefined ? {} : { path }),
    code: spec.redirect_response_code ?? 301,
  }
}
