import type { IrForward } from '../ir/route-action.ts'
import type { IrMatch, IrValueMatch } from '../ir/route-table.ts'
import type { RouteBody } from '../admin/schemas.ts'
import { refText } from '../model/object-ref.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'

const view: View<RouteBody> = {
  columns: [
    { head: 'LISTENERS', value: route => route.listeners.join(', '), wide: true },
    { head: 'HOST', value: route => route.domains.join(', ') },
    { head: '#', value: route => route.order },
    { head: 'MATCH', value: matchText },
    { head: 'TO', value: targetText },
    { head: 'CLUSTER', value: route => (route.action as Partial<IrForward>).cluster ?? '', wide: true },
    { head: 'TIMEOUT', value: timeoutText, wide: true },
    { head: 'ORIGIN', value: route => refs(route.origins) },
    { head: 'COVERED BY', value: route => refs(route.coveredBy ?? []), wide: true },
    { head: 'READ AT', value: route => route.origins.map(origin => origin.at).join(', '), wide: true },
  ],
  name: route => `${route.virtualHost}/${route.order}`,
  none: 'no routes: there is no accepted Mapping that a Host takes; see isthmus objects',
}

/** `isthmus routes [TEXT]`. */
export const register: Register = (program, context) => {
  const command = program
    .command('routes')
    .argument('[text]', 'only those whose host, path, service or cluster holds it')
    .description('Effective routes, in the order Envoy tries them: the first match wins.')
  addListOptions(command).action((text: string | undefined, options: ViewOptions & { watch?: true }) =>
    showList<RouteBody>(context, options, '/routes', { q: text }, view),
  )
}

function refs(origins: RouteBody['origins']): string {
  return origins.map(refText).join(', ')
}

/** `/web/ GET x-a=1 ?v=2 30%`: `=` exact, `~` regex, `!` inverted. */
export function matchText(route: RouteBody): string {
  const { path, headers, query, percent } = route.match as unknown as IrMatch
  const paths = { prefix: `${path.value}*`, segments: `${path.value}[/*]`, exact: path.value, regex: `~${path.value}` }
  const parts = [paths[path.kind], ...headers.map(headerText), ...query.map(one => `?${valueText(one)}`)]
  if (percent !== undefined) parts.push(`${percent}%`)
  return parts.join(' ')
}

function headerText(header: IrValueMatch): string {
  return header.name === ':method' && header.kind === 'exact' && header.invert !== true ? header.value : valueText(header)
}

function valueText({ name, kind, value, invert }: IrValueMatch): string {
  const not = invert === true ? '!' : ''
  return kind === 'present' ? `${not}${name}` : `${name}${not}${kind === 'exact' ? '=' : '~'}${value}`
}

/** Where requests go: `shop/web as /new/`. */
export function targetText({ action, service, coveredBy }: RouteBody): string {
  const never = coveredBy === undefined ? '' : ' (never reached)'
  if (action.kind !== 'forward') return `${action.kind}${never}`
  const { rewrite } = action as unknown as IrForward
  return `${service ?? '?'}${rewrite === undefined ? '' : ` as ${rewrite}`}${never}`
}

function timeoutText({ action }: RouteBody): string {
  const { timeoutMs } = action as Partial<IrForward>
  return timeoutMs === undefined ? '' : timeoutMs === 0 ? 'none' : `${timeoutMs}ms`
}
