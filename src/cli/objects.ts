import type { ObjectBody } from '../admin/schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'
import { cut } from './words.ts'

const view: View<ObjectBody> = {
  columns: [
    { head: 'KIND', value: object => object.kind },
    { head: 'NAMESPACE', value: object => object.namespace },
    { head: 'NAME', value: object => object.name },
    { head: 'STATE', value: object => object.state },
    { head: 'READ AT', value: object => object.at, wide: true },
    { head: 'LAST GOOD', value: object => (object.lastGood ? 'serves' : ''), wide: true },
    { head: 'REMARK', value: object => cut(remark(object), 120) },
  ],
  name: object => `${object.kind}/${object.namespace}/${object.name}`,
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
    return showList<ObjectBody>(context, options, '/objects', { kind, namespace, state }, view, ({ problems = [], warnings = [] }) =>
      [...problems.map(problem => `${problem.at}: ${problem.text}\n`), ...warnings.map(warning => `warning: ${warning}\n`)].join(''),
    )
  })
}

/** The first thing to know about an object. */
function remark({ problems, rejections, notices, lastGood }: ObjectBody): string {
  const rejected = rejections.map(({ proxy, resource, text }) => `${proxy} rejects its ${resource}: ${text}`)
  const refused = problems.map(({ at, path, text }) => `${at}: ${path === '' ? '' : `${path}: `}${text}`)
  if (lastGood) refused.unshift('its last good version serves')
  return [...refused, ...rejected, ...notices].join('; ')
}
