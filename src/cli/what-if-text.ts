import type { RouteBody } from '../admin/schemas.ts'
import type { StageBody, WhatIfBody } from '../admin/what-if-schemas.ts'
import { refWord } from '../model/object-ref.ts'
import type { Io } from './io.ts'
import type { Format } from './output.ts'
import { matchText, targetText } from './routes.ts'
import { seenAddress } from './seen.ts'
import { type Column, oneLine, tableText } from './table.ts'
import { counted, cut } from './words.ts'

type Endpoint = StageBody['endpoints'][number]
type Side = NonNullable<Endpoint['after']>
type Traffic = StageBody['traffic'][number]
interface Share {
  readonly traffic: Traffic
  readonly share: Traffic['shares'][number]
}
type Named = StageBody['clusters'][number]
type Route = StageBody['routes'][number]
type ObjectChange = StageBody['objects'][number]

const endpointColumns: readonly Column<Endpoint>[] = [
  { head: 'SERVICE', value: one => one.service },
  { head: 'ENDPOINT', value: one => endpointAddress(one) },
  { head: 'CHANGE', value: endpointChange },
  { head: 'REASON', value: one => cut((one.after ?? one.before)?.reasons.map(reason => reason.text).join('; ') ?? '', 80), wide: true },
]
const trafficColumns: readonly Column<Share>[] = [
  { head: 'SERVICE', value: one => one.traffic.service },
  { head: 'ASSIGNMENT', value: one => one.traffic.name, wide: true },
  { head: 'REQUESTS TO', value: ({ share }) => `${share.by} ${share.name}` },
  { head: 'BEFORE', value: ({ share }) => `${String(share.before)} %` },
  { head: 'AFTER', value: ({ share }) => `${String(share.after)} %` },
]
const routeColumns: readonly Column<Route>[] = [
  { head: 'HOST', value: one => (one.after ?? one.before)?.domains.join(', ') ?? '' },
  { head: 'MATCH', value: one => routeText(one.after ?? one.before, matchText) },
  { head: 'CHANGE', value: one => (one.before === null ? 'added' : one.after === null ? 'removed' : one.fields.join(', ')) },
  { head: 'BEFORE', value: one => routeText(one.before, toText) },
  { head: 'AFTER', value: one => routeText(one.after, toText) },
]
const objectColumns: readonly Column<ObjectChange>[] = [
  { head: 'OBJECT', value: refWord },
  { head: 'BEFORE', value: one => one.before?.state ?? '' },
  { head: 'AFTER', value: one => one.after?.state ?? '' },
  { head: 'REMARK', value: remark },
]
const namedColumns = (head: string): readonly Column<Named>[] => [
  { head, value: one => one.name },
  { head: 'CHANGE', value: one => (one.change === 'changed' ? one.fields.join(', ') : one.change) },
]

/** The consequences for people; `name`: the services whose endpoints or traffic differ, in any stage. */
export function whatIfText({ stages, notes }: WhatIfBody, format: Format, io: Pick<Io, 'out' | 'env'>): string {
  if (format === 'name') return [...new Set(stages.flatMap(servicesOf))].map(service => `${service}\n`).join('')
  const texts = stages.map((stage, index) => stageText(stage, stages[index - 1], format === 'wide', io))
  return [...texts, ...(notes.length === 0 ? [] : [notes.map(note => `note: ${oneLine(note)}\n`).join('')])].join('\n')
}

const when = { 'at-once': 'at once', overdue: 'if it stays so', gone: 'if they are gone as well' } as const

function stageText(stage: StageBody, former: StageBody | undefined, wide: boolean, io: Pick<Io, 'out' | 'env'>): string {
  const head = stage.texts.length === 0 ? '' : `${when[stage.code]}: ${stage.texts.map(oneLine).join('; ')}\n`
  const { endpoints, clusters, routes, listeners, objects, findings } = stage
  if (!stage.differs) return `${head}nothing differs\n${findingLines(findings)}`
  if (former !== undefined && JSON.stringify({ ...stage, code: '', texts: [] }) === JSON.stringify({ ...former, code: '', texts: [] }))
    return `${head}the same as before\n`
  const shares = stage.traffic.flatMap(traffic => traffic.shares.map(share => ({ traffic, share })))
  const section = <Item>(items: readonly Item[], columns: readonly Column<Item>[], all: number) =>
    items.length === 0
      ? []
      : [tableText(items, columns, wide, io) + (all > items.length ? `… and ${String(all - items.length)} more\n` : '')]
  const total = (key: keyof StageBody['counts']) => stage.counts[key].added + stage.counts[key].removed + stage.counts[key].changed
  return [
    ...(head === '' ? [] : [head]),
    ...section(objects, objectColumns, total('objects')),
    ...section(endpoints, endpointColumns, total('endpoints')),
    ...section(shares, trafficColumns, 0),
    ...section(routes, routeColumns, total('routes')),
    ...section(clusters, namedColumns('CLUSTER'), total('clusters')),
    ...section(listeners, namedColumns('LISTENER'), total('listeners')),
    [summary(stage), findingLines(findings)].join(''),
  ].join('\n')
}

function summary({ counts }: StageBody): string {
  const parts = (['objects', 'endpoints', 'routes', 'clusters', 'listeners'] as const).flatMap(key => {
    const { added, removed, changed } = counts[key]
    const words = [
      ...(added > 0 ? [`${added} added`] : []),
      ...(removed > 0 ? [`${removed} removed`] : []),
      ...(changed > 0 ? [`${changed} changed`] : []),
    ]
    return words.length === 0 ? [] : [`${key}: ${words.join(', ')}`]
  })
  return parts.length === 0 ? '' : `${parts.join('; ')}\n`
}

function findingLines(findings: StageBody['findings']): string {
  if (findings.length === 0) return ''
  return `${counted(findings.length, 'finding')}:\n${findings.map(({ code, subject, text }) => `  ${code} ${subject}: ${oneLine(text)}\n`).join('')}`
}

function servicesOf({ endpoints, traffic }: StageBody): readonly string[] {
  return [...endpoints, ...traffic].map(one => one.service)
}

function endpointAddress({ before, after }: Endpoint): string {
  const one = after ?? before
  return one === null ? '' : seenAddress(one)
}

function endpointChange({ before, after }: Endpoint): string {
  if (before === null) return after === null ? '' : `+ ${placeText(after)}`
  if (after === null) return `- ${placeText(before)}`
  const parts = [
    ...differs(before, after, one => one.health),
    ...differs(before, after, one => one.presence),
    ...differs(before, after, one => `weight ${one.weight}`),
    ...differs(before, after, one => (one.member === undefined ? 'no member' : `member ${one.member}`)),
    ...differs(before, after, one => `priority ${one.priority}`),
    ...differs(before, after, one => `known to ${one.sources.join(', ')}`),
    ...(before.health === after.health && before.presence === after.presence
      ? differs(before, after, one => (one.served ? 'served' : 'not served'))
      : []),
  ]
  return parts.length === 0 ? '~ reasons' : `~ ${parts.join('; ')}`
}

function differs(before: Side, after: Side, text: (one: Side) => string): readonly string[] {
  return text(before) === text(after) ? [] : [`${text(before)} → ${text(after)}`]
}

function placeText({ health, sources, member }: Side): string {
  return [health, `known to ${sources.join(', ')}`, ...(member === undefined ? [] : [`member ${member}`])].join(', ')
}

function routeText(route: RouteBody | null | undefined, text: (route: RouteBody) => string): string {
  return route === null || route === undefined ? '' : text(route)
}

function toText(route: RouteBody): string {
  const { percent } = route.match as { readonly percent?: number }
  return `${targetText(route)}${percent === undefined ? '' : ` up to ${percent} %`}`
}

function remark({ before, after }: ObjectChange): string {
  if (after === null) return 'deleted'
  const problems = after.problems.map(({ path, text }) => (path === '' ? text : `${path}: ${text}`))
  const notices = after.notices.filter(notice => before?.notices.includes(notice) !== true)
  return cut([...problems, ...notices].join('; '), 120)
}
