import { didYouMean } from '../model/nearest.ts'
import { readAddressRange } from './address-range.ts'
import { checkLogFormat } from './check-log-format.ts'
import { checkMapping } from './check-mapping.ts'
import { checkHeaderName, checkPlainText } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import type { Manifest } from './object.ts'
import type { MappingSpec } from './schema/mapping.ts'
import { inertModuleKeys, inertRuntimeFlags, type ModuleConfig, moduleConfigSchema } from './schema/module.ts'

/** The only name that means anything (emissary-resources.md 6). */
const moduleName = 'ambassador'
const at = ['spec', 'config'] as const

/** The rules of a Module that concern it alone. Unknown keys do nothing, as its API has always been untyped: they are named. */
export function checkModule({ config = {} }: { readonly config?: ModuleConfig }, { name }: Manifest): KindFindings {
  if (name !== moduleName) {
    const notServed = `a Module named ${name} has no effect: the one that counts is named ${moduleName}`
    return { problems: [], notices: [], notServed }
  }
  return {
    problems: [
      ...checkDefaults(config),
      ...checkAddressRules(config),
      ...checkTogether(config),
      ...checkPlainText([...at, 'server_name'], config.server_name),
      ...(config.header_case_overrides ?? []).flatMap((header, index) => checkHeaderName([...at, 'header_case_overrides', index], header)),
      ...checkLogFormat([...at, 'envoy_log_format'], config),
      ...(config.lua_scripts?.includes('\0') === true ? [{ path: [...at, 'lua_scripts'], text: 'must not contain NUL' }] : []),
    ],
    notices: notices(config),
  }
}

/** What is a default for Mappings has to be right in a Mapping. */
const mappingKeys = [
  'circuit_breakers',
  'cors',
  'enable_ipv4',
  'enable_ipv6',
  'error_response_overrides',
  'load_balancer',
  'retry_policy',
] as const satisfies readonly (keyof ModuleConfig & keyof MappingSpec)[]

function checkDefaults(config: ModuleConfig): readonly Finding[] {
  const given = Object.fromEntries(mappingKeys.flatMap(key => (config[key] === undefined ? [] : [[key, config[key]]])))
  const { time, ...keepalive } = config.keepalive ?? {}
  const both = time === undefined ? keepalive : { idle_time: time, ...keepalive }
  const { httpmapping, tls_secret_namespacing: _secrets, ...direct } = config.defaults ?? {}
  return [
    ...asMapping({ ...given, ...(config.keepalive === undefined ? {} : { keepalive: both }) }, at),
    ...asMapping(headersOf(direct), [...at, 'defaults']),
    ...asMapping(headersOf(httpmapping ?? {}), [...at, 'defaults', 'httpmapping']),
  ]
}

const headerKeys = ['add_request_headers', 'add_response_headers', 'remove_request_headers', 'remove_response_headers'] as const

function headersOf(given: Partial<Pick<MappingSpec, (typeof headerKeys)[number]>>): Partial<MappingSpec> {
  return Object.fromEntries(headerKeys.flatMap(key => (given[key] === undefined ? [] : [[key, given[key]]])))
}

function asMapping(spec: Partial<MappingSpec>, place: FieldPath): readonly Finding[] {
  return checkMapping({ prefix: '/', service: 'any', ...spec }).problems.map(({ path, text }) => ({
    path: [...place, ...path.slice(1)],
    text,
  }))
}

/** Each of ip_allow and ip_deny is a list of networks, by the connection's address or by the client's (emissary-resources.md 6). */
function checkAddressRules(config: ModuleConfig): readonly Finding[] {
  return (['ip_allow', 'ip_deny'] as const).flatMap(key =>
    (config[key] ?? []).flatMap((rule, index): readonly Finding[] => {
      const path = [...at, key, index]
      const given = (['peer', 'remote'] as const).filter(side => rule[side] !== undefined)
      const [side] = given
      if (side === undefined || given.length > 1) return [{ path, text: 'needs peer or remote, one of the two' }]
      const text = rule[side] ?? ''
      if (readAddressRange(text) !== undefined) return []
      return [{ path: [...path, side], text: `"${text}" is no IP network; write an address, or a network such as 10.0.0.0/8` }]
    }),
  )
}

/** Keys that exclude each other. */
const exclusive = [
  ['ip_allow', 'ip_deny'],
  ['proper_case', 'header_case_overrides'],
] as const satisfies readonly (readonly (keyof ModuleConfig)[])[]

function checkTogether(config: ModuleConfig): readonly Finding[] {
  return exclusive.flatMap(([first, second]) =>
    config[first] === undefined || config[first] === false || config[second] === undefined
      ? []
      : [{ path: [...at, second], text: `excludes ${first}; keep one of the two` }],
  )
}

function notices(config: ModuleConfig): readonly string[] {
  const known = Object.keys(moduleConfigSchema.properties)
  const other = Object.keys(config).filter(key => !known.includes(key))
  const set = config.set_current_client_cert_details !== undefined
  const wantsSet =
    config.forward_client_cert_details?.startsWith('SANITIZE_SET') === true || config.forward_client_cert_details === 'APPEND_FORWARD'
  return [
    ...other.map(key => unknownNotice(['config', key], inertModuleKeys[key], [...known, ...Object.keys(inertModuleKeys)])),
    ...unknownDefaults(config),
    ...unknownFlags(config),
    ...(set && !wantsSet
      ? ['spec.config.set_current_client_cert_details has no effect without forward_client_cert_details APPEND_FORWARD or SANITIZE_SET']
      : []),
  ]
}

function unknownDefaults({ defaults = {} }: ModuleConfig): readonly string[] {
  const known = Object.keys(moduleConfigSchema.properties.defaults.properties)
  const ofMapping = Object.keys(moduleConfigSchema.properties.defaults.properties.httpmapping.properties)
  return [
    ...Object.keys(defaults)
      .filter(key => !known.includes(key))
      .map(key => unknownNotice(['config', 'defaults', key], undefined, known)),
    ...Object.keys(defaults.httpmapping ?? {})
      .filter(key => !ofMapping.includes(key))
      .map(key => unknownNotice(['config', 'defaults', 'httpmapping', key], undefined, ofMapping)),
  ]
}

function unknownFlags({ runtime_flags: flags = {} }: ModuleConfig): readonly string[] {
  const known = Object.keys(moduleConfigSchema.properties.runtime_flags.properties)
  return Object.keys(flags)
    .filter(key => !known.includes(key))
    .map(key => unknownNotice(['config', 'runtime_flags', key], inertRuntimeFlags[key], known))
}

function unknownNotice(path: readonly string[], why: string | undefined, known: readonly string[]): string {
  const name = `spec.${path.join('.')}`
  if (why !== undefined) return `${name} has no effect: ${why}`
  const hint = didYouMean(path.at(-1) ?? '', known)
  return `${name} is unknown and has no effect${hint === '' ? '' : `; ${hint}`}`
}
