import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { commands, logCommands } from '../../src/manifests/check-format.ts'
import { envoyPath } from '../tools/envoy.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'
import { forward, listener, staticCluster, tableOf } from '../xds/generate/tables.ts'
import { atRest } from './static-bootstrap.ts'

/** What may stand behind a command, by what it wants. */
const forms = { none: [''], key: ['(a:b)'], header: ['(:path)', '(x-a?x-b)', '(x-a):5'], optional: ['', '(%Y-%m-%d)'] } as const

t.test(
  'Envoy takes each command that we let into the values of headers, towards upstreams and back; one that it does not know it refuses',
  async t => {
    const folder = await temporaryFolder(t)
    const accepts = async (values: readonly string[]) => {
      const added = values.map((value, index) => ({ name: `x-${index}`, value, append: index % 2 === 0 }))
      const headers = { addRequest: added, removeRequest: ['x-gone'], addResponse: added, removeResponse: ['server'] }
      const routes = [{ ...forward('/', 'a'), headers }]
      const table = tableOf(routes, [staticCluster('a', '127.0.0.1', 80)], [listener({ port: await freePort() })])
      const file = join(folder, 'envoy.json')
      await writeFile(
        file,
        atRest(table, () => undefined, await freePort()),
      )
      return runToEnd(await envoyPath(), ['--mode', 'validate', '-c', file, '-l', 'warning'])
    }
    const every = Object.entries(commands).flatMap(([name, brackets]) => forms[brackets].map(inside => `a %${name}${inside}% 100%%`))
    const { code, stderr } = await accepts(every)
    t.equal(code, 0, stderr)
    t.not((await accepts(['%PROTOCOLL%'])).code, 0)
  },
)

t.test('Envoy takes each command that we let into its own access log, as text and as JSON', async t => {
  const folder = await temporaryFolder(t)
  const accepts = async (format: string | Readonly<Record<string, string>>) => {
    const table = tableOf([forward('/', 'a')], [staticCluster('a', '127.0.0.1', 80)], [listener({ port: await freePort() })])
    const http = { ...table.http, options: { accessLog: { to: 'stdout', format } as const } }
    const file = join(folder, 'envoy.json')
    await writeFile(
      file,
      atRest({ ...table, http }, () => undefined, await freePort()),
    )
    return runToEnd(await envoyPath(), ['--mode', 'validate', '-c', file, '-l', 'warning'])
  }
  const inside: Readonly<Record<string, readonly string[]>> = {
    GRPC_STATUS: ['', '(NUMBER)'],
    COMMON_DURATION: ['(DS_RX_BEG:DS_RX_END:ms)'],
    FILTER_STATE: ['(a:PLAIN)'],
  }
  const every = Object.entries(logCommands).flatMap(([name, brackets]) => (inside[name] ?? forms[brackets]).map(one => `%${name}${one}%`))
  const asText = await accepts(every.join(' '))
  t.equal(asText.code, 0, asText.stderr)
  const asFields = await accepts(Object.fromEntries(every.map((one, index) => [`f${String(index)}`, one])))
  t.equal(asFields.code, 0, asFields.stderr)
  t.not((await accepts('%PROTOCOLL%')).code, 0)
})
