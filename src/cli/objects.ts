import type { ObjectBody } from '../admin/schemas.ts'
import { refWord } from '../model/object-ref.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'
import { oneLine } from './table.ts'
import { cut } from './words.ts'

/** What the table shows of what there is to say; the rest stands below it. */
const remarkWidth = 100

const view: View<ObjectBody> = {
  columns: [
    { head: 'KIND', value: object => object.kind },
    { head: 'NAMESPACE', value: object => object.namespace },
    { head: 'NAME', value: object => object.name },
    { head: 'STATE', value: object => object.state },
    { head: 'READ AT', value: object => object.at, wide: true },
    { head: 'LAST GOOD', value: object => (object.lastGood ? 'serves' : ''), wide: true },
    { head: 'REMARK', value: object => cut(remarks(object).join('; '), remarkWidth) },
  ],
  name: refWord,
  none: 'no objects: put manifests into the folder that "manifests" in isthmus.yaml names',
}

interface Options extends ViewOptions {
  readonly watch?: true
  readonly kind?: string
  readonly namespace?: string
  readonly state?: string
}

/** `isthmus objects`. */
export const register: Register = (program, context) => {
  const command = program
    .command('objects')
    .description('Objects of the configuration: accepted, refused or ignored, and why.')
    .option('--kind <kind>', 'only of a kind')
    .option('-n, --namespace <name>', 'only of a namespace')
    .option('--state <state>', 'only accepted, refused or ignored ones')
  addListOptions(command).action((options: Options) => {
    const { kind, namespace, state } = options
    return showList<ObjectBody>(context, options, '/objects', { kind, namespace, state }, view, ({ items, problems = [], warnings = [] }) =>
      [
        ...items.flatMap(inFull),
        ...problems.map(problem => `${problem.at}: ${problem.text}`),
        ...warnings.map(warning => `warning: ${warning}`),
      ]
        .map(line => `${oneLine(line)}\n`)
        .join(''),
    )
  })
}

/** What there is to say about an object, the first thing to know first. */
function remarks({ problems, rejections, notices, lastGood }: ObjectBody): readonly string[] {
  return [
    ...(lastGood ? ['its last good version serves'] : []),
    ...problems.map(({ path, text }) => `${path === '' ? '' : `${path}: `}${text}`),
    ...rejections.map(({ proxy, resource, text }) => `${proxy} rejects its ${resource}: ${text}`),
    ...notices,
  ]
}

/** What the table cuts, a line for each thing, and where it stands: what to do about it is at its end. */
function inFull(object: ObjectBody): readonly string[] {
  const all = remarks(object)
  if (all.join('; ').length <= remarkWidth) return []
  const places = [...(object.lastGood ? [object.at] : []), ...object.problems.map(({ at }) => at)]
  return all.map((remark, index) => `${places[index] ?? object.at}: ${view.name(object)}: ${remark}`)
}
