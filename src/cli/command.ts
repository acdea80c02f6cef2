import type { Command } from 'commander'
import type { ExitCode, Io } from './io.ts'

/** What a command's action gets beside its arguments. */
export interface CommandContext {
  readonly io: Io
  /** Ends the program with this code once the action is over. */
  readonly exit: (code: ExitCode) => void
  /** The whole program with all its commands, to look at, not to run. */
  readonly everything: () => Promise<Command>
}

/** Adds one command to the program. Each file of src/cli that is a command exports one of these as `register`. */
export type Register = (program: Command, context: CommandContext) => void
