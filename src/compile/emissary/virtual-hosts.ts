import type { IrListener, IrMatch, IrRoute, IrVirtualHost } from '../../ir/route-table.ts'
import { Memo } from '../../model/memo.ts'
import type { Steps } from '../../model/steps.ts'
import { groupMembers, makeGroup, type RouteGroup } from './groups.ts'
import { type Adoption, type HostNode, type InsecureAction, reachable } from './hosts.ts'
import { type MappingRoute, matchOn, needsHostMatch } from './mapping-route.ts'
import { Report } from './report.ts'

type SecurityModel = IrListener['securityModel']

/** The routes of the virtual host of a domain, in match order, and what was found out while they were made. */
export interface HostRoutes {
  readonly routes: readonly IrRoute[]
  readonly report: Report
  /** By the groups they are for. */
  readonly groups: Memo<string, GroupRoutes>
}

interface GroupRoutes {
  readonly routes: readonly IrRoute[]
  readonly partial: boolean
  readonly report: Report | undefined
}

interface Place {
  readonly domain: string
  readonly model: SecurityModel
  readonly action: InsecureAction
}

/**
 * The virtual hosts of a route configuration, sorted by name. Hosts of one hostname make one virtual host with the Mappings of all, and the first
 * of them (as given) decides about cleartext; hostnames with equal routes share one virtual host, so that Mappings for every host do not multiply
 * by Hosts (emissary-resources.md 11). Routes stay the same list while the Mappings they are of stay the same.
 * @param memo by names of route configuration and domain
 */
export function* virtualHosts(
  name: string,
  hosts: readonly HostNode[],
  given: {
    readonly adoption: Adoption
    readonly model: SecurityModel
    readonly report: Report
    readonly memo: Memo<string, HostRoutes>
  },
): Steps<readonly IrVirtualHost[]> {
  const { adoption, model, report, memo } = given
  const byDomain = Map.groupBy(hosts, host => host.hostname)
  const domains = [...byDomain.keys()].sort()
  const made = new Map<string, IrVirtualHost & { domains: string[] }>()
  for (const domain of domains) {
    const same = byDomain.get(domain) ?? []
    const [first] = same
    if (first === undefined) continue
    yield
    const action = first.insecureAction
    const adopted: MappingRoute[] = []
    // Which Mappings, and which of them on condition: all that the routes depend on.
    let signature: string = action
    for (const { route, index } of adoption.of(same)) {
      if (!reachable(route, domain, domains)) continue
      adopted.push(route)
      signature += needsHostMatch(route, domain) ? `,${index}!` : `,${index}`
    }
    const equal = made.get(signature)
    if (equal !== undefined) {
      equal.domains.push(domain)
      continue
    }
    const [key, madeOf] = [`${name} ${domain}`, [model, action, ...adopted]]
    const own =
      memo.find(key, madeOf) ?? memo.keep(key, madeOf, yield* hostRoutes(adopted, { domain, model, action }, memo.latest(key)?.groups))
    report.include(own.report)
    made.set(signature, { name: domain, domains: [domain], routes: own.routes, origin: first.ref })
  }
  return [...made.values()]
}

const denominators = [100, 10_000, 1_000_000] as const
const overHttps = { name: 'x-forwarded-proto', kind: 'exact', value: 'https' } as const

/**
 * The routes of Mappings in the virtual host of a domain.
 * @param groups those of the last time, of the same place
 */
export function* hostRoutes(adopted: readonly MappingRoute[], place: Place, groups: HostRoutes['groups'] = new Memo()): Steps<HostRoutes> {
  const report = new Report()
  const routes: IrRoute[] = []
  let partialBefore = 0
  for (const [key, members] of groupMembers(adopted)) {
    yield
    const percentOf = denominators[Math.min(partialBefore, denominators.length - 1)] ?? 1_000_000
    const madeOf = [place.action, percentOf, ...members]
    const own = groups.find(key, madeOf) ?? groups.keep(key, madeOf, groupRoutes(members, place, percentOf))
    routes.push(...own.routes)
    if (own.partial) partialBefore++
    if (own.report !== undefined) report.include(own.report)
  }
  groups.endRound()
  return { routes, report, groups }
}

function groupRoutes(
  members: readonly MappingRoute[],
  { domain, model, action }: Place,
  percentOf: NonNullable<IrMatch['percentOf']>,
): GroupRoutes {
  const found = new Report()
  const group = makeGroup(members, found)
  const report = found.isEmpty ? undefined : found
  if (group === undefined) return { routes: [], partial: false, report }
  const { partial } = group
  const forwards = group.members.map(({ route, share, action }): IrRoute => {
    const split = share.upTo < 100 ? { percent: share.upTo, percentOf } : {}
    return {
      match: { ...matchOn(route, domain), ...split },
      action,
      origins: [route.mapping.manifest.ref],
      weight: share.weight,
      ...group.shared,
      ...forwardServices(route),
    }
  })
  if (model === 'SECURE' || action === 'Route' || isChallenge(group)) return { routes: forwards, partial, report }
  // Redirect and Reject differ for requests that came by https (emissary-resources.md 11): XFP tells them apart, INSECURE has none.
  const secure = model === 'XFP' ? forwards.map(route => ({ ...route, match: withProto(route.match, overHttps) })) : []
  return { routes: action === 'Redirect' ? [...secure, ...redirect(group, domain, model)] : secure, partial, report }
}

/** Who hands out certificates asks in cleartext, before there is one: whatever the Host's action (emissary-resources.md 3, acmeProvider). */
function isChallenge({ members }: RouteGroup): boolean {
  return members.every(({ route: { path } }) => path.kind !== 'regex' && path.value.startsWith('/.well-known/acme-challenge/'))
}

/** To https, whatever the share: the split is decided by the request that comes back. */
function redirect(group: RouteGroup, domain: string, model: SecurityModel): readonly IrRoute[] {
  const [first] = group.members
  if (first === undefined) return []
  const match = matchOn(first.route, domain)
  // A request over https that fell through the split must not be redirected to where it came from.
  const guard = group.partial && model === 'XFP' ? { ...overHttps, invert: true } : undefined
  return [
    {
      match: withProto(match, guard),
      action: { kind: 'https-redirect' },
      origins: group.members.map(one => one.route.mapping.manifest.ref),
      ...first.route.services?.whenRedirected,
    },
  ]
}

function forwardServices({ services, action }: MappingRoute): Pick<IrRoute, 'filters' | 'descriptors'> {
  // Routes that answer by themselves ask nobody (emissary-resources.md 11, "Misc").
  if (action.kind !== 'forward') return services?.whenRedirected ?? {}
  return {
    ...(services?.filters === undefined ? {} : { filters: services.filters }),
    ...(services?.descriptors === undefined ? {} : { descriptors: services.descriptors }),
  }
}

function withProto(match: IrMatch, proto: IrMatch['headers'][number] | undefined): IrMatch {
  const others = match.headers.filter(header => header.name !== overHttps.name)
  return { ...match, headers: proto === undefined ? others : [proto, ...others] }
}
