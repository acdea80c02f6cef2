import { hostname } from 'node:os'
import { parseArgs } from 'node:util'

/** How a port is probed. */
export type Check = { readonly kind: 'tcp' } | { readonly kind: 'http'; readonly path: string } | { readonly kind: 'none' }

/** One port of a service. */
export interface ServicePort {
  readonly name: string
  readonly port: number
  readonly check: Check
}

/** A service as the options name it. `address` is undefined when it is the agent's own. */
export interface ServiceOption {
  readonly name: string
  readonly namespace: string | undefined
  readonly address: string | undefined
  readonly ports: readonly ServicePort[]
  readonly weight: number | undefined
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
}

/** Everything the command line says. */
export interface AgentOptions {
  readonly gateway: string
  readonly services: readonly ServiceOption[]
  readonly id: string
  readonly address: string | undefined
  /** Where the machine is. */
  readonly zone: string | undefined
  readonly region: string | undefined
  readonly ttlSeconds: number
  readonly drainSeconds: number
  readonly probeIntervalSeconds: number
  readonly probeTimeoutSeconds: number
  readonly rise: number
  readonly fall: number
  readonly tokenFile: string | undefined
  readonly logFormat: 'text' | 'json'
}

/** A command line that cannot be used: the message names the option. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const usage = `Usage: isthmus-agent --gateway URL --service name=NAME,port=PORT[,...] [options]

Registers the services of this machine with an Isthmus gateway, probes them, and keeps the lease until it is stopped.

  --gateway URL            where the gateway takes agents, e.g. http://10.0.0.5:18090
  --service KEY=VALUE,...  a service; may be repeated. Keys:
                             name, port          required
                             namespace           default: that of the gateway's source
                             address             default: --address
                             portName            to tell the ports of one service apart
                             check               tcp (default), http:/PATH or none
                             weight              100 is an ordinary instance
                             tag                 may be repeated
                             meta.KEY            e.g. meta.version=2
                           Several of one name are ports of one service, each with a portName of its own.
  --id ID                  name of this agent, unique at the gateway (default: the host name)
  --address IP             address of the services (default: the local one that reaches the gateway)
  --zone NAME              where this machine is: gateways may prefer endpoints of their own zone
  --region NAME            where its zone is
  --ttl SECONDS            lease time to ask for (30)
  --drain-seconds SECONDS  time between draining and leaving (10)
  --probe-interval SECONDS time between two probes of a port (5)
  --probe-timeout SECONDS  a probe that takes longer fails (2)
  --rise N                 probes in a row that must pass before a failed port is healthy again (2)
  --fall N                 probes in a row that must fail before a healthy port is not (3)
  --token-file FILE        bearer token for the gateway, read again for each registration
  --log-format FORMAT      text or json, on stderr (text)
  --help                   shows this

On SIGTERM or SIGINT the agent drains, waits, leaves and exits 0; a second signal ends it at once. Exit 2: the command line is wrong.
`

const options = {
  gateway: { type: 'string' },
  service: { type: 'string', multiple: true },
  id: { type: 'string' },
  address: { type: 'string' },
  zone: { type: 'string' },
  region: { type: 'string' },
  ttl: { type: 'string' },
  'drain-seconds': { type: 'string' },
  'probe-interval': { type: 'string' },
  'probe-timeout': { type: 'string' },
  rise: { type: 'string' },
  fall: { type: 'string' },
  'token-file': { type: 'string' },
  'log-format': { type: 'string' },
  help: { type: 'boolean' },
} as const

/** Reads a command line. `help` is given for `--help`; throws `UsageError` naming the option that is wrong. */
export function parseOptions(args: readonly string[]): AgentOptions | 'help' {
  const values = parsed(args)
  if (values.help === true) return 'help'
  const services = (values.service ?? []).map(parseService)
  if (services.length === 0) throw new UsageError('--service is missing: name at least one, e.g. --service name=web,port=8080')
  const format = values['log-format'] ?? 'text'
  if (format !== 'text' && format !== 'json') throw new UsageError(`--log-format must be text or json, not "${format}"`)
  return {
    gateway: gatewayOf(values.gateway),
    services: joinPorts(services),
    id: idOf(values.id),
    address: values.address,
    zone: placeOf('--zone', values.zone),
    region: placeOf('--region', values.region),
    ttlSeconds: numberOf('--ttl', values.ttl, 30, 0.1, 1e6),
    drainSeconds: numberOf('--drain-seconds', values['drain-seconds'], 10, 0, 86_400),
    probeIntervalSeconds: numberOf('--probe-interval', values['probe-interval'], 5, 0.05, 3600),
    probeTimeoutSeconds: numberOf('--probe-timeout', values['probe-timeout'], 2, 0.05, 300),
    rise: countOf('--rise', values.rise, 2),
    fall: countOf('--fall', values.fall, 3),
    tokenFile: values['token-file'],
    logFormat: format,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function gatewayOf(text: string | undefined): string {
  if (text === undefined) throw new UsageError('--gateway is missing, e.g. --gateway http://10.0.0.5:18090')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UsageError(`--gateway must be a URL such as http://10.0.0.5:18090, not "${text}"`)
  }
  return url.href.replace(/\/+$/, '')
}

function idOf(text: string | undefined): string {
  const id = text ?? hostname()
  if (/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/.test(id)) return id
  throw new UsageError(
    `--id must be 1 to 100 letters, digits, dots, colons, underscores and hyphens, the first a letter or digit, not "${id}"`,
  )
}

function placeOf(option: string, text: string | undefined): string | undefined {
  if (text === undefined || /^[^/\s]{1,253}$/.test(text)) return text
  throw new UsageError(`${option} must be 1 to 253 characters, neither a slash nor white space among them, not "${text}"`)
}

function numberOf(option: string, text: string | undefined, preset: number, min: number, max: number): number {
  if (text === undefined) return preset
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max) return value
  throw new UsageError(`${option} must be a number from ${min} to ${max}, not "${text}"`)
}

function countOf(option: string, text: string | undefined, preset: number): number {
  const value = numberOf(option, text, preset, 1, 1000)
  if (Number.isInteger(value)) return value
  throw new UsageError(`${option} must be a whole number, not "${String(text)}"`)
}

const serviceKeys = ['name', 'port', 'namespace', 'address', 'portName', 'check', 'weight', 'tag', 'meta.KEY']

function parseService(text: string): ServiceOption {
  const fail = (why: string): UsageError => new UsageError(`--service ${text}: ${why}`)
  const single = new Map<string, string>()
  const tags: string[] = []
  const meta: Record<string, string> = {}
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    if (equals < 1) throw fail(`"${part}" is not of the form key=value`)
    const key = part.slice(0, equals)
    const value = part.slice(equals + 1)
    if (value === '') throw fail(`${key} is empty`)
    if (key === 'tag') tags.push(value)
    else if (key.startsWith('meta.') && key.length > 5) meta[key.slice(5)] = value
    else if (!serviceKeys.includes(key)) throw fail(`${key} is no known key (known: ${serviceKeys.join(', ')})`)
    else if (single.has(key)) throw fail(`${key} stands twice`)
    else single.set(key, value)
  }
  const name = single.get('name')
  if (name === undefined) throw fail('name is missing')
  if (/[/\s]/.test(name)) throw fail('name must hold neither a slash nor white space')
  const port = integer(single.get('port'), 1, 65_535)
  if (port === undefined)
    throw fail(`port must be a number from 1 to 65535${single.has('port') ? `, not "${String(single.get('port'))}"` : ''}`)
  const weight = integer(single.get('weight'), 1, 100_000)
  if (weight === undefined && single.has('weight'))
    throw fail(`weight must be a whole number from 1 to 100000, not "${String(single.get('weight'))}"`)
  const check = checkOf(single.get('check'))
  if (check === undefined) throw fail(`check must be tcp, http:/PATH or none, not "${String(single.get('check'))}"`)
  return {
    name,
    namespace: single.get('namespace'),
    address: single.get('address'),
    ports: [{ name: single.get('portName') ?? '', port, check }],
    weight,
    tags,
    meta,
  }
}

function integer(text: string | undefined, min: number, max: number): number | undefined {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : NaN
  return value >= min && value <= max ? value : undefined
}

function checkOf(text: string | undefined): Check | undefined {
  if (text === undefined || text === 'tcp') return { kind: 'tcp' }
  if (text === 'none') return { kind: 'none' }
  return text.startsWith('http:/') ? { kind: 'http', path: text.slice('http:'.length) } : undefined
}

/** Options of one service name become one service with several ports. */
function joinPorts(given: readonly ServiceOption[]): ServiceOption[] {
  const joined = new Map<string, ServiceOption>()
  for (const service of given) {
    const key = `${service.namespace ?? ''}/${service.name}`
    const before = joined.get(key)
    if (before === undefined) {
      joined.set(key, service)
      continue
    }
    const fail = (why: string): UsageError => new UsageError(`--service name=${service.name} stands several times: ${why}`)
    if (service.ports.some(port => before.ports.some(other => other.name === port.name || other.port === port.port))) {
      throw fail('give each port a number and a portName of its own, or run another agent with another --id')
    }
    if (service.address !== undefined && service.address !== before.address) throw fail('its address must be the same each time')
    if (service.weight !== undefined && service.weight !== before.weight) throw fail('its weight must be the same each time')
    joined.set(key, {
      ...before,
      ports: [...before.ports, ...service.ports],
      tags: [...new Set([...before.tags, ...service.tags])],
      meta: { ...before.meta, ...service.meta },
    })
  }
  return [...joined.values()]
}
