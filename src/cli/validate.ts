import { refText, refWord } from '../model/object-ref.ts'
import type { ObjectStatus } from '../manifests/status.ts'
import type { Register } from './command.ts'
import { ambassadorIds, type OfflineOptions, type OfflineResult, problemLines, readOffline } from './offline-manifests.ts'
import { dataText, type Format, formatOption } from './output.ts'
import { oneLine } from './table.ts'
import { counted } from './words.ts'

interface Options extends OfflineOptions {
  readonly output: Format
}

/** `isthmus validate -f PATH…`: exit code 1 when something is refused. */
export const register: Register = (program, { io, exit }) => {
  program
    .command('validate')
    .description('Checks manifests as the gateway would, offline: a line for each object. Exit code 1 when one is refused.')
    .requiredOption('-f, --file <path...>', 'files, or folders of *.yaml, *.yml and *.json')
    .option('--ambassador-id <ids>', 'which getambassador.io objects are ours, comma-separated (default: AMBASSADOR_ID, else default)')
    .addOption(formatOption())
    .action(async (options: Options) => {
      const result = await readOffline(options.file, ambassadorIds(options, io), io)
      exit(result.refused ? 1 : 0)
      const { statuses, problems, warnings } = result
      const { output } = options
      if (output === 'json' || output === 'yaml') io.out.write(await dataText({ items: statuses, problems, warnings }, output))
      else if (output === 'name') io.out.write(statuses.map(({ ref }) => `${refWord(ref)}\n`).join(''))
      else io.out.write(resultText(result))
    })
}

function resultText(result: OfflineResult): string {
  const sound = result.statuses.filter(one => one.state !== 'refused').map(soundLine)
  const refused = result.statuses.length - sound.length
  const summary = `${counted(result.statuses.length, 'object')}: ${refused} refused${result.problems.length === 0 ? '' : `, ${counted(result.problems.length, 'part')} unreadable`}`
  return [...sound, ...problemLines(result), summary].map(line => `${oneLine(line)}\n`).join('')
}

function soundLine({ ref, state, notices }: ObjectStatus): string {
  return `${ref.at}: ${refText(ref)}: ${state}${notices.length === 0 ? '' : ` (${notices.join('; ')})`}`
}
