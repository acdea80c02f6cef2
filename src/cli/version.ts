import { version } from '../version.ts'
import type { Register } from './command.ts'
import { dataText, type Format, formatOption } from './output.ts'

/** `isthmus version`. */
export const register: Register = (program, { io }) => {
  program
    .command('version')
    .description('The version of this program, and of the Node.js it runs on.')
    .addOption(formatOption())
    .action(async ({ output }: { output: Format }) => {
      const data = { version, node: process.version }
      if (output === 'json' || output === 'yaml') io.out.write(await dataText(data, output))
      else if (output === 'name') io.out.write(`${version}\n`)
      else io.out.write(`isthmus ${version} (Node.js ${process.version})\n`)
    })
}
