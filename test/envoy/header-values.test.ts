import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { commands } from '../../src/manifests/check-headers.ts'
import { envoyPath } from '../tools/envoy.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'
import { forward, listener, staticCluster, tableOf } from '../xds/generate/tables.ts'
import { atRest } from './static-bootstrap.ts'

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
    const forms = { none: [''], header: ['(:path)', '(x-a?x-b)', '(x-a):5'], optional: ['', '(%Y-%m-%d)'] }
    const every = Object.entries(commands).flatMap(([name, brackets]) => forms[brackets].map(inside => `a %${name}${inside}% 100%%`))
    const { code, stderr } = await accepts(every)
    t.equal(code, 0, stderr)
    t.not((await accepts(['%PROTOCOLL%'])).code, 0)
  },
)
