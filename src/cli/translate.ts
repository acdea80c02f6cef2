import { Option } from 'commander'
import { refText } from '../model/object-ref.ts'
import { translate } from '../xds/generate/translate.ts'
import { became } from './became.ts'
import type { Register } from './command.ts'
import { ambassadorIds, type OfflineOptions, type OfflineResult, problemLines, readOffline } from './offline-manifests.ts'
import { dataText } from './output.ts'
import { oneLine } from './table.ts'

interface Options extends OfflineOptions {
  readonly output: 'envoy' | 'ir'
}

/** What became of each object, before the configuration itself. */
function objectsOf({ statuses, manifests, compiled }: OfflineResult): readonly object[] {
  const lines = became(compiled.table, manifests)
  return statuses.map(({ ref, state, problems, notices }) => ({
    ...ref,
    ...{ state, problems, notices },
    became: state === 'accepted' ? (lines.get(refText(ref)) ?? []) : [],
  }))
}

/** `isthmus translate -f PATH…`: what was refused goes to standard error, and makes the exit code 1. */
export const register: Register = (program, { io, exit }) => {
  program
    .command('translate')
    .description(
      'Prints what became of each manifest and what Envoy would get, offline and so without endpoints. Exit code 1 when an object is refused.',
    )
    .requiredOption('-f, --file <path...>', 'files, or folders of *.yaml, *.yml and *.json')
    .option('--ambassador-id <ids>', 'which getambassador.io objects are ours, comma-separated (default: AMBASSADOR_ID, else default)')
    .addOption(
      new Option('-o, --output <what>', "Envoy's configuration, or the route table it is made of")
        .choices(['envoy', 'ir'])
        .default('envoy'),
    )
    .action(async (options: Options) => {
      const result = await readOffline(options.file, ambassadorIds(options, io), io)
      const { table } = result.compiled
      const made = options.output === 'ir' ? table : translate(table, () => undefined)
      io.out.write(await dataText({ objects: objectsOf(result), ...made }, 'json'))
      for (const line of problemLines(result)) io.err.write(`${oneLine(line)}\n`)
      exit(result.refused ? 1 : 0)
    })
}
