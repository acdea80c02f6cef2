import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { parse } from 'yaml'
import { isthmus } from './cli.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname
const settings = `
id: serve-test
state: { path: ":memory:" }
xds: { listen: 127.0.0.1:0 }
admin: { listen: 127.0.0.1:0 }
agents: { listen: 127.0.0.1:0 }
sources:
  - { name: vms, type: vm }
  - { name: list, type: file, path: ./endpoints.yaml }
`

interface LogLine {
  readonly msg: string
  readonly admin?: number
  readonly code?: string
  readonly problems?: readonly string[]
}

/** A gateway in a process of its own, and its log. */
function serve(t: { teardown(fn: () => unknown): void }, cwd: string): { child: ChildProcess; logged: (text: string) => Promise<LogLine> } {
  const child = spawn(process.execPath, [main, 'serve', '-c', 'isthmus.yaml'], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', line => {
    lines.push(JSON.parse(line) as LogLine)
    for (const wake of waiting) wake()
  })
  return {
    child,
    /** The next line with this message. */
    logged: async text => {
      for (;;) {
        const found = lines.findIndex(line => line.msg.includes(text))
        const [line] = found < 0 ? [] : lines.splice(found, 1)
        if (line !== undefined) return line
        await new Promise<void>(resolve => waiting.add(resolve))
      }
    },
  }
}

t.test(
  'serve answers its commands, reloads on SIGHUP, keeps its settings when the file turns invalid, and ends with 0 on SIGTERM',
  async t => {
    const cwd = t.testdir({
      'isthmus.yaml': settings,
      'endpoints.yaml': 'services:\n  - { name: web, endpoints: [{ address: 10.0.0.1, port: 80 }] }\n',
      manifests: {},
    })
    const { child, logged } = serve(t, cwd)
    const { admin } = await logged('listening')
    await logged('ready')
    const env = { ISTHMUS_ADMIN: `http://127.0.0.1:${String(admin)}` }
    t.equal((await isthmus(['status', '-o', 'name'], { env })).out, 'serve-test\n')
    t.match((await isthmus(['why', 'web', '10.0.0.1:80'], { env })).out, /^unrouted: /)

    writeFileSync(join(cwd, 'isthmus.yaml'), `${settings}\nlog: { levle: debug }\n`)
    t.match(await logged('settings file is invalid'), {
      code: 'settings-invalid',
      problems: ['isthmus.yaml:11: log.levle: unknown key; did you mean "level"?'],
    })
    writeFileSync(join(cwd, 'isthmus.yaml'), settings.replace('name: list', 'name: list2'))
    await logged('settings reloaded')
    t.equal((await isthmus(['sources', '-o', 'name'], { env })).out, 'list2\nvms\n')
    child.kill('SIGHUP')
    await logged('settings reloaded')

    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number]
    t.equal(code, 0)
  },
)

t.test('invalid settings are named one per line, with exit code 2', async t => {
  const cwd = t.testdir({ 'isthmus.yaml': 'xdss: {}\nsources: [{ name: a, type: fiel }]\n' })
  const ran = await isthmus(['serve', '--envoy-admin-port', 'x'], { cwd })
  t.equal(ran.code, 2)
  t.equal(
    ran.err,
    'isthmus: isthmus.yaml:1: xdss: unknown key; did you mean "xds"?\n' +
      '--envoy-admin-port: envoy.adminPort: must be a whole number, not "x"\n' +
      'isthmus.yaml:2: sources[0].type: no source has the type "fiel"; did you mean "file"?\n',
  )
})

t.test('--show-settings prints what is in force, and the schema for editors knows every source', async t => {
  const cwd = t.testdir({ 'isthmus.yaml': settings })
  const ran = await isthmus(['serve', '--show-settings', '--log-level', 'debug'], { cwd, env: { ISTHMUS_ID: 'other' } })
  t.equal(ran.code, 0)
  t.match(parse(ran.out), {
    id: 'other',
    log: { level: 'debug' },
    xds: { listen: '127.0.0.1:0' },
    sources: [{}, { path: join(cwd, 'endpoints.yaml') }],
  })
  const schema = (await isthmus(['schema', 'settings'])).out
  for (const type of ['file', 'vm']) t.match(schema, `"const": "${type}"`)
})
