import type { KnownPlugins } from '../discovery/contract.ts'
import { effectiveSettings } from '../settings/effective.ts'
import { type SettingsKey, settingsKeys } from '../settings/keys.ts'
import { loadSettings, settingsFile } from '../settings/load.ts'
import type { Settings } from '../settings/settings.ts'
import type { CommandContext, Register } from './command.ts'
import { dataText } from './output.ts'

type Options = Readonly<Record<string, string | true | undefined>> & { readonly config?: string; readonly showSettings?: true }

/** Time beyond Envoy's drain that a stop may take before the process is ended, ms. */
const stopGraceMs = 15_000

/** `isthmus serve`: every key of the settings is a flag of it. */
export const register: Register = (program, context) => {
  const command = program
    .command('serve')
    .description(
      'Runs the gateway until SIGTERM or SIGINT, which drain it; SIGHUP, or a change of the file, reloads the settings.\n' +
        'Flags win over ISTHMUS_… variables, these over the file, this over the defaults (in brackets).',
    )
    .option('-c, --config <file>', 'settings file (./isthmus.yaml, if there is one)')
    .option('--show-settings', 'print the settings in force, without secrets, and exit')
  for (const key of settingsKeys) command.option(`${key.flag} <${wordFor(key)}>`, key.description)
  command.action((options: Options) => serve(options, context))
}

async function serve(options: Options, { io }: CommandContext): Promise<void> {
  const { builtinPlugins: plugins } = await import('../builtin-plugins.ts')
  const file = options.config
  const flags = Object.fromEntries(settingsKeys.flatMap(key => flagOf(key, options)))
  const load = () => loadSettings({ ...(file === undefined ? {} : { file }), cwd: io.cwd, env: io.env, flags, plugins })
  const settings = load()
  if (options.showSettings === true) {
    io.out.write(await dataText(effectiveSettings(settings), 'yaml'))
    return
  }
  await runGateway(settings, plugins, load, settingsFile({ ...(file === undefined ? {} : { file }), cwd: io.cwd }))
}

/** Starts the gateway and leaves it running: the process ends by signal. */
async function runGateway(settings: Settings, plugins: KnownPlugins, load: () => Settings, file: string | undefined): Promise<void> {
  const [{ compose }, { createLog }, { watchSettings }, { default: closeWithGrace }] = await Promise.all([
    import('../compose.ts'),
    import('../telemetry/log.ts'),
    import('../settings/watch.ts'),
    import('close-with-grace'),
  ])
  const log = createLog({ level: settings.log.level, id: settings.id })
  const gateway = compose(settings, plugins, { log })

  const apply = async (next: Settings): Promise<void> => {
    try {
      log.level = next.log.level
      const restart = await gateway.reload(next)
      log.info({ needRestart: restart }, restart.length === 0 ? 'settings reloaded' : 'settings reloaded; some need a restart')
    } catch (error) {
      log.error({ error }, 'the new settings cannot be applied; the former ones stay')
    }
  }
  // One reload after the other: two edits in a row must not meet inside the gateway.
  let reloading = Promise.resolve()
  const watch =
    file === undefined
      ? undefined
      : watchSettings(
          file,
          load,
          next => {
            reloading = reloading.then(() => apply(next))
          },
          error =>
            log.error({ code: error.code, problems: error.message.split('\n') }, 'the settings file is invalid; the former settings stay'),
        )
  const reload = () => {
    if (watch === undefined) log.warn({}, 'SIGHUP: there is no settings file to reload')
    else watch.reload()
  }
  process.on('SIGHUP', reload)

  const grace = { delay: settings.envoy.drainSeconds * 1000 + stopGraceMs, logger: log, skip: ['SIGHUP' as const, 'beforeExit' as const] }
  const closing = closeWithGrace(grace, async ({ signal, err }) => {
    if (err === undefined) log.info({ signal }, 'stopping')
    else log.fatal({ error: err }, 'a defect stops the gateway, please report it')
    process.off('SIGHUP', reload)
    watch?.close()
    await gateway.stop()
    log.info({}, 'stopped')
  })
  try {
    await gateway.start()
  } catch (error) {
    closing.uninstall()
    process.off('SIGHUP', reload)
    watch?.close()
    throw error
  }
}

function wordFor(key: SettingsKey): string {
  return { text: 'value', number: 'number', list: 'a,b', yaml: 'yaml' }[key.kind]
}

/** Commander names options in camel case. */
function flagOf(key: SettingsKey, options: Options): readonly [string, string][] {
  const name = key.flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const value = options[name]
  return typeof value === 'string' ? [[key.name, value]] : []
}
