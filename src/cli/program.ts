import { Command, CommanderError } from 'commander'
import { type ErrorCode, errorText, IsthmusError } from '../model/errors.ts'
import { didYouMean } from '../model/nearest.ts'
import type { CommandContext } from './command.ts'
import { type CommandEntry, commands } from './commands.ts'
import { CliError, type ExitCode, type Io, processIo } from './io.ts'

const exitCodes: Partial<Record<ErrorCode, ExitCode>> = {
  'settings-invalid': 2,
  'settings-unreadable': 2,
  'request-invalid': 2,
  'gateway-unreachable': 3,
}

/**
 * Runs one command line and gives its exit code (interface.md). Never throws; a defect prints its stack.
 * @param args without the program's own name
 */
export async function run(args: readonly string[], io: Io = processIo()): Promise<number> {
  let exitCode: number = 0
  const context: CommandContext = { io, exit: code => (exitCode = code), everything: () => buildProgram('*', context) }
  try {
    const ordered = commandFirst(args)
    const program = await buildProgram(ordered[0], context)
    await program.parseAsync(ordered, { from: 'user' })
    // The demo sets the process's own code.
    return exitCode === 0 ? Number(process.exitCode ?? 0) : exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (error instanceof CliError || (error instanceof IsthmusError && error.code !== 'internal')) {
      io.err.write(`isthmus: ${error.message}\n`)
      return error instanceof CliError ? error.exitCode : (exitCodes[error.code] ?? 1)
    }
    io.err.write(`isthmus: a defect, please report it: ${error instanceof Error ? (error.stack ?? error.message) : errorText(error)}\n`)
    return 1
  }
}

/**
 * The program with the one command that is called fully there, and the others as names for the help.
 * @param called name of the command; undefined loads none, `*` all
 */
async function buildProgram(called: string | undefined, context: CommandContext): Promise<Command> {
  const { io } = context
  const program = new Command('isthmus')
    .description('Kubernetes, Consul and virtual machines as one explained endpoint table for Envoy')
    .exitOverride()
    .configureOutput({
      writeOut: text => io.out.write(text),
      writeErr: text => io.err.write(text),
      getOutHelpWidth: () => io.out.columns ?? 100,
      getErrHelpWidth: () => io.err.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(--help shows what there is)')
    .option('-V, --version', 'print the version')
    .allowExcessArguments()
    .action(async (options: { version?: true }) => {
      const [word] = program.args
      if (word !== undefined) throw new CliError(2, unknownCommand(word))
      if (options.version !== true) program.help({ error: true })
      const { version } = await import('../version.ts')
      io.out.write(`${version}\n`)
    })
  for (const command of commands) await add(program, command, called, context)
  return program
}

async function add(program: Command, command: CommandEntry, called: string | undefined, context: CommandContext): Promise<void> {
  if (called !== command.name && called !== '*') {
    program.command(command.name).description(command.summary)
    return
  }
  const register = await command.load()
  register(program, context)
  // One wording for the overview and the command's own help.
  program.commands.find(one => one.name() === command.name)?.summary(command.summary)
}

function unknownCommand(name: string): string {
  const hint = didYouMean(
    name,
    commands.map(command => command.name),
  )
  return `there is no command "${name}"; ${hint === '' ? 'see isthmus --help' : hint}`
}

/** `isthmus --admin URL status` means `isthmus status --admin URL`; `help status` means `status --help`. */
function commandFirst(args: readonly string[]): readonly string[] {
  const names = commands.map(command => command.name)
  if (args[0] === 'help') return args[1] === undefined ? ['--help'] : [...args.slice(1), '--help']
  if (args[0]?.startsWith('-') !== true) return args
  const place = args.findIndex(arg => names.includes(arg))
  return place < 0 ? args : [args[place] ?? '', ...args.slice(0, place), ...args.slice(place + 1)]
}
