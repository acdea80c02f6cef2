import type { WhatIfBody, WhatIfRequest } from '../admin/what-if-schemas.ts'
import { overrideActions } from '../model/override.ts'
import { AdminClient } from './client.ts'
import type { Register } from './command.ts'
import { CliError } from './io.ts'
import { manifestTexts } from './manifest-texts.ts'
import { idOf, weightOf } from './override.ts'
import { addViewOptions, dataText, type ViewOptions } from './output.ts'
import { findService } from './service-name.ts'
import { whatIfText } from './what-if-text.ts'

interface Options extends ViewOptions {
  readonly source?: readonly string[]
  readonly file?: readonly string[]
  readonly without?: readonly string[]
  readonly zone?: string
  readonly region?: string
  readonly json?: true
}

const usage =
  'say what: -f PATH for edited manifests, --without KIND/NAMESPACE/NAME, --source NAME down (or gone), or a decision such as: isthmus what-if drain SERVICE IP:PORT'

/** `isthmus what-if`: exit code 1 when something would be refused, or requests would have nobody to go to. */
export const register: Register = (program, context) => {
  const { io } = context
  const command = program
    .command('what-if')
    .argument('[words...]', 'with --source: down or gone; or what an operator would say: drain SERVICE IP:PORT, weight …, unset ID')
    .description(
      'What would be served, before it happens: the difference of endpoints, traffic, clusters and routes. Nothing is changed. ' +
        'Exit code 1 when something would be refused, or requests would have nobody to go to.',
    )
    .option('-f, --file <path...>', 'manifests as they would be: files, or folders of *.yaml, *.yml and *.json')
    .option('--without <object...>', 'objects that would be deleted: KIND/NAMESPACE/NAME')
    .option('--source <name...>', 'sources that would be down, or gone')
    .option('--zone <name>', 'shares of requests of Envoys in this zone: pools may prefer it')
    .option('--region <name>', 'and region')
    .option('--json', 'the same as -o json')
  addViewOptions(command).action(async (words: readonly string[], given: Options) => {
    const options = given.json === true ? ({ ...given, output: 'json' } as const) : given
    const client = new AdminClient(options, io)
    const body = await client.post<WhatIfBody>('/what-if', await requestOf(words, options, client))
    const { output } = options
    io.out.write(output === 'json' || output === 'yaml' ? await dataText(body, output) : whatIfText(body, output, io))
    context.exit(body.stages.some(stage => stage.findings.length > 0) ? 1 : 0)
  })
}

async function requestOf(words: readonly string[], options: Options, client: AdminClient): Promise<WhatIfRequest> {
  const { file = [], without = [], zone, region } = options
  const sources = sourcesOf(words, options)
  const said = sources.length > 0 || words.length === 0 ? {} : await decisionOf(words, client)
  if (file.length + without.length + sources.length === 0 && words.length === 0) throw new CliError(2, usage)
  return {
    ...(file.length === 0 ? {} : { manifests: [...(await manifestTexts(file))] }),
    ...(without.length === 0 ? {} : { without: [...without] }),
    ...(sources.length === 0 ? {} : { sources: [...sources] }),
    ...(zone === undefined && region === undefined ? {} : { place: { ...(zone && { zone }), ...(region && { region }) } }),
    ...said,
  }
}

/** `--source dc1 down`: the word may stand behind the names, where the option takes it for one of them. */
function sourcesOf(words: readonly string[], { source = [] }: Options): NonNullable<WhatIfRequest['sources']> {
  if (source.length === 0) return []
  const all = [...source, ...words]
  const state = all.pop()
  if ((state !== 'down' && state !== 'gone') || all.length === 0)
    throw new CliError(2, `--source: say what becomes of it: isthmus what-if --source ${source[0] ?? 'NAME'} down (or gone)`)
  return all.map(name => ({ name, state }))
}

async function decisionOf(words: readonly string[], client: AdminClient): Promise<Pick<WhatIfRequest, 'overrides' | 'unset'>> {
  const [verb = '', ...rest] = words
  if (verb === 'unset') {
    if (rest.length === 0) throw new CliError(2, 'unset: name the override, as isthmus overrides shows it')
    return { unset: [...rest] }
  }
  const action = overrideActions.find(one => one === verb)
  if (action === undefined) throw new CliError(2, `"${verb}" is nothing that could be done; ${usage}`)
  const [service, address, weight, ...more] = rest
  const isWeight = action === 'weight'
  if (service === undefined || address === undefined || (weight === undefined) === isWeight || more.length > 0)
    throw new CliError(2, `write it as you would do it: isthmus what-if ${action} SERVICE IP:PORT${isWeight ? ' WEIGHT' : ''}`)
  const { namespace, name } = await findService(client, service)
  const id = idOf([action, namespace, name, address])
  const value = weight === undefined ? {} : { value: weightOf(weight) }
  return { overrides: [{ id, service: `${namespace}/${name}`, address, action, ...value }] }
}
