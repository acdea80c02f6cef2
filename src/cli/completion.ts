import { Argument, type Command } from 'commander'
import type { Register } from './command.ts'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

interface Word {
  readonly name: string
  readonly summary: string
}

interface Completable extends Word {
  readonly options: readonly (Word & {
    readonly short: string | undefined
    readonly takesValue: boolean
    readonly choices: readonly string[]
  })[]
}

/** `isthmus completion SHELL`. */
export const register: Register = (program, context) => {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .description('Completion script: source <(isthmus completion bash), or for fish: isthmus completion fish | source')
    .action(async (shell: Shell) => {
      context.io.out.write(script(shell, completables(await context.everything())))
    })
}

function completables(program: Command): readonly Completable[] {
  return program.commands.map(command => ({
    name: command.name(),
    summary: command.summary(),
    options: command.options.map(option => ({
      name: option.long ?? '',
      short: option.short,
      summary: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
  }))
}

function script(shell: Shell, commands: readonly Completable[]): string {
  switch (shell) {
    case 'bash':
      return bash(commands)
    case 'zsh':
      return zsh(commands)
    case 'fish':
      return fish(commands)
  }
}

function bash(commands: readonly Completable[]): string {
  const cases = commands.map(({ name, options }) => {
    const flags = options.flatMap(option => [option.name, ...(option.short === undefined ? [] : [option.short])])
    return `    ${name}) words="${[...flags, '--help'].join(' ')}" ;;`
  })
  const values = choices(commands).map(
    ([flags, words]) => `    ${flags.join('|')}) COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$current")); return ;;`,
  )
  return `# bash completion for isthmus
_isthmus() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  case "$previous" in
${values.join('\n')}
    -f|--file|-c|--config|--token-file) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(command => command.name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _isthmus isthmus
`
}

function zsh(commands: readonly Completable[]): string {
  const quote = (text: string) => text.replaceAll("'", "'\\''").replaceAll('[', '(').replaceAll(']', ')').replaceAll(':', ' -')
  const cases = commands.map(({ name, options }) => {
    const specs = options.map(option => {
      const value = option.takesValue ? `:value:${option.choices.length === 0 ? '_files' : `(${option.choices.join(' ')})`}` : ''
      return `'${option.name}[${quote(option.summary)}]${value}'`
    })
    return `    ${name}) _arguments ${[...specs, "'*:argument:_files'"].join(' ')} ;;`
  })
  return `#compdef isthmus
_isthmus() {
  local -a commands
  commands=(${commands.map(command => `'${command.name}:${quote(command.summary)}'`).join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${cases.join('\n')}
  esac
}
compdef _isthmus isthmus
`
}

function fish(commands: readonly Completable[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = commands.flatMap(({ name, summary, options }) => [
    `complete -c isthmus -n __fish_use_subcommand -f -a ${name} -d ${quote(summary)}`,
    ...options.map(option => {
      const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`
      const value = option.takesValue ? (option.choices.length === 0 ? ' -r' : ` -x -a ${quote(option.choices.join(' '))}`) : ''
      return `complete -c isthmus -n ${quote(`__fish_seen_subcommand_from ${name}`)}${short} -l ${option.name.slice(2)}${value} -d ${quote(option.summary)}`
    }),
  ])
  return `# fish completion for isthmus\n${lines.join('\n')}\n`
}

/** Flags whose values are a fixed choice, each set of values once. */
function choices(commands: readonly Completable[]): readonly (readonly [flags: readonly string[], words: readonly string[]])[] {
  const found = new Map<string, Set<string>>()
  for (const { name, short, choices: words } of commands.flatMap(command => command.options)) {
    if (words.length === 0) continue
    // The same flag may take other values in another command: offer all of them.
    const values = found.get(name) ?? new Set<string>()
    for (const word of words) values.add(word)
    found.set(name, values)
    if (short !== undefined) found.set(short, values)
  }
  return [...found].map(([flag, words]) => [[flag], [...words]])
}
