import type { OverrideBody } from '../admin/override-schemas.ts'
import type { ConflictBody, ObjectBody, ProxyBody, ServiceBody, SourceBody, StatusBody } from '../admin/schemas.ts'
import type { Lease } from '../discovery/contract.ts'
import { refWord } from '../model/object-ref.ts'
import { counted } from './words.ts'

/** Something that is not as it should be. `error`: requests fail, or would; `warning`: it does not hold for long; `note`: worth knowing. */
export interface Ailment {
  readonly level: 'error' | 'warning' | 'note'
  readonly subject: string
  readonly text: string
  /** What to do. */
  readonly fix: string
}

/** What the API says of a running gateway. */
export interface Examined {
  readonly status: StatusBody
  /** Of `/readyz?verbose`; empty while it is not ready. */
  readonly readiness: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[]
  readonly sources: readonly SourceBody[]
  readonly services: readonly ServiceBody[]
  readonly proxies: readonly ProxyBody[]
  readonly objects: readonly ObjectBody[]
  readonly unreadable: readonly { readonly at: string; readonly text: string }[]
  readonly warnings: readonly string[]
  readonly conflicts: readonly ConflictBody[]
  readonly overrides: readonly OverrideBody[]
  readonly agents: readonly Lease[]
}

export interface Check {
  readonly name: string
  /** What is well when nothing is found. */
  readonly well: (examined: Examined) => string
  readonly find: (examined: Examined) => readonly Ailment[]
}

/** Every check of `isthmus doctor`, in the order it prints them. Pure. */
export const checks: readonly Check[] = [
  {
    name: 'gateway',
    well: ({ status }) => `${status.id} is ready`,
    find: ({ status, readiness }) => [
      ...(status.ready
        ? []
        : [
            error(
              status.id,
              'is not ready: Envoys are not answered yet',
              'isthmus sources shows what is waited for; startup.gateSeconds ends it',
            ),
          ]),
      ...readiness
        .filter(one => one.name === 'state' && !one.ok)
        .map(one => warning('state', one.detail, 'make state.path writable; what is known and decided would not outlive a restart')),
    ],
  },
  { name: 'sources', well: ({ sources }) => `${counted(sources.length, 'source')} read`, find: ({ sources }) => sourceAilments(sources) },
  {
    name: 'agents',
    well: ({ agents }) => `${counted(agents.length, 'lease')} in time`,
    find: ({ agents }) => agents.flatMap(agentAilments),
  },
  {
    name: 'objects',
    well: ({ objects }) => `${counted(objects.filter(one => one.state === 'accepted').length, 'object')} in force`,
    find: ({ objects, unreadable, warnings }) => [
      ...unreadable.map(({ at, text }) => error(at, text, 'correct the file; its last good content serves meanwhile')),
      ...objects.filter(one => one.state === 'refused').map(refused),
      ...warnings.map(text => warning('configuration', text, 'isthmus objects shows what was read')),
    ],
  },
  {
    name: 'services',
    well: ({ services }) => `all ${counted(services.filter(isRouted).length, 'routed service')} can answer`,
    find: ({ services }) => services.filter(one => isRouted(one) && one.served === 0).map(silent),
  },
  {
    name: 'envoys',
    well: ({ proxies }) => `${counted(proxies.length, 'Envoy')} in sync`,
    find: ({ proxies }) =>
      proxies.length === 0
        ? [
            warning(
              'envoys',
              'no Envoy is connected',
              'give one its bootstrap: isthmus bootstrap --node-id ID, or set envoy.mode: supervise',
            ),
          ]
        : proxies.flatMap(proxyAilments),
  },
  {
    name: 'conflicts',
    well: () => 'the registries agree',
    find: ({ conflicts }) =>
      conflicts.map(one => (one.severity === 'warning' ? warning : note)(one.services.join(', '), `${one.kind}: ${one.text}`, one.fix)),
  },
  {
    name: 'overrides',
    well: ({ overrides }) => counted(overrides.length, 'override'),
    find: ({ overrides }) => overrides.flatMap(overrideAilments),
  },
]

function make(level: Ailment['level']) {
  return (subject: string, text: string, fix: string): Ailment => ({ level, subject, text, fix })
}

const error = make('error')
const warning = make('warning')
const note = make('note')

function sourceAilments(sources: readonly SourceBody[]): readonly Ailment[] {
  if (sources.length === 0) return [warning('sources', 'there are none', 'add some under "sources" in isthmus.yaml')]
  return sources.flatMap(({ name, state, error: failure, notices, held }) => [
    ...(state === 'stale' || state === 'expired'
      ? [
          error(
            name,
            `is ${state}: ${failure?.text ?? 'it was not read'}`,
            `its last good endpoints serve; mend the registry, then isthmus sources resync ${name}. What hangs on it: isthmus what-if --source ${name} down`,
          ),
        ]
      : []),
    ...(state === 'syncing' ? [warning(name, 'was never read since the start', failure?.text ?? `isthmus sources shows its error`)] : []),
    ...(state === 'lagging' ? [warning(name, 'is silent for longer than usual', `isthmus sources resync ${name} reads it anew`)] : []),
    ...(state !== 'stale' && state !== 'expired' && state !== 'syncing' && failure !== null
      ? [warning(name, failure.text, 'the part it names keeps its last good endpoints')]
      : []),
    ...(held > 0
      ? [
          warning(
            name,
            `${counted(held, 'endpoint')} held by its guard: they vanished without a witness`,
            `if they are really gone: isthmus sources release-guard ${name}`,
          ),
        ]
      : []),
    ...notices.map(text => note(name, text, 'docs of its kind are in plugins/')),
  ])
}

function agentAilments({ agentId, state, ageSeconds, fenced }: Lease): readonly Ailment[] {
  return [
    ...(state === 'suspect' || state === 'expired'
      ? [
          warning(
            agentId,
            `its lease is ${state}: nothing was heard for ${String(Math.round(ageSeconds))} s`,
            'look whether the machine and its isthmus-agent run and reach agents.listen',
          ),
        ]
      : []),
    ...fenced.map(({ place, holder }) =>
      warning(agentId, `${place} is held by ${holder}, which registered it later`, 'stop one of the two agents, or correct its address'),
    ),
  ]
}

function refused(object: ObjectBody): Ailment {
  const { problems, lastGood } = object
  const text = problems.map(({ at, path, text: what }) => `${at}: ${path === '' ? '' : `${path}: `}${what}`).join('; ')
  return error(
    refWord(object),
    `is refused: ${text}`,
    lastGood ? 'correct it; its last good version serves' : 'correct it; nothing of it serves',
  )
}

function isRouted({ clusters }: ServiceBody): boolean {
  return clusters.length > 0
}

function silent({ key, endpoints }: ServiceBody): Ailment {
  const text =
    endpoints === 0
      ? 'routes lead to it, and it has no endpoint'
      : `routes lead to it, and none of its ${counted(endpoints, 'endpoint')} takes requests`
  return error(
    key,
    `${text}: requests get 503`,
    endpoints === 0 ? `isthmus history ${key} tells what became of them` : `isthmus endpoints ${key} says why, isthmus why for each`,
  )
}

function proxyAilments({ nodeId, state, types }: ProxyBody): readonly Ailment[] {
  if (state === 'disconnected')
    return [warning(nodeId, 'is not connected', 'it serves what it has; if it is gone for good it is forgotten by itself')]
  return types.flatMap(({ type, lastNack, state: ofType }) =>
    ofType !== 'rejected' || lastNack === null
      ? []
      : [
          error(
            nodeId,
            `rejects ${type} ${lastNack.names.join(', ')}: ${lastNack.text}`,
            'isthmus objects names the object it was made of; the last good version serves',
          ),
        ],
  )
}

function overrideAilments({ id, service, address, action, state, expiresAt, kept }: OverrideBody): readonly Ailment[] {
  return [
    ...(kept ? [] : [warning(id, 'cannot be written: it would not outlive a restart', 'make state.path writable; see the log')]),
    ...(state === 'waiting'
      ? [note(id, `no source names ${address} of ${service} at present`, `isthmus unset ${id}, if it is not coming back`)]
      : []),
    ...(expiresAt === null
      ? [note(id, `${action} of ${address} of ${service} never ends by itself`, `isthmus unset ${id} when it is not needed any more`)]
      : []),
  ]
}
