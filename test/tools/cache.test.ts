import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cachedTool, findInstalled } from './cache.ts'
import { consulModule } from './consul.ts'
import { temporaryFolder } from './local.ts'
import { runToEnd } from './process.ts'

t.beforeEach(async t => {
  process.env['XDG_CACHE_HOME'] = await temporaryFolder(t)
})

const build = (folder: string) => writeFile(join(folder, 'tool'), '#!/bin/sh\n', { mode: 0o755 })
const tool = { name: 'sample', version: '1.0.0', work: 'building', file: 'tool', build }

t.test('a tool is built once', async t => {
  const path = await cachedTool(tool)
  t.equal(await cachedTool({ ...tool, build: () => Promise.reject(new Error('built twice')) }), path)
})

t.test('a failed build leaves no folder and can be tried again', async t => {
  await t.rejects(cachedTool({ ...tool, build: () => Promise.reject(new Error('no compiler')) }), /no compiler/)
  const left = await readdir(join(process.env['XDG_CACHE_HOME'] ?? '', 'isthmus', 'sample'))
  t.same(
    left.filter(name => !name.endsWith('.lock')),
    [],
  )
  await t.resolves(cachedTool(tool))
})

t.test('two processes at the same time build once; the second waits', async t => {
  const script = `
    import { cachedTool } from ${JSON.stringify(import.meta.resolve('./cache.ts'))}
    import { writeFile } from 'node:fs/promises'
    const build = async folder => {
      console.log('built')
      await new Promise(resolve => setTimeout(resolve, 700))
      await writeFile(folder + '/tool', '', { mode: 0o755 })
    }
    await cachedTool({ name: 'sample', version: '1.0.0', work: 'building', file: 'tool', build })`
  const run = () => runToEnd(process.execPath, ['--input-type=module', '-e', script])
  const ends = await Promise.all([run(), run()])
  t.same(
    ends.map(end => end.code),
    [0, 0],
  )
  t.equal(ends.map(end => end.stdout).join(''), 'built\n')
})

t.test('a variable chooses the program and must name one', async t => {
  process.env['ISTHMUS_SAMPLE'] = '/bin/sh'
  t.teardown(() => delete process.env['ISTHMUS_SAMPLE'])
  t.equal(await findInstalled('isthmus-no-such-program', 'ISTHMUS_SAMPLE'), '/bin/sh')
  process.env['ISTHMUS_SAMPLE'] = '/nowhere'
  await t.rejects(findInstalled('sh', 'ISTHMUS_SAMPLE'), /ISTHMUS_SAMPLE is \/nowhere/)
  delete process.env['ISTHMUS_SAMPLE']
  t.match(await findInstalled('sh', 'ISTHMUS_SAMPLE'), /\/sh$/)
  t.equal(await findInstalled('isthmus-no-such-program', 'ISTHMUS_SAMPLE'), undefined)
})

t.test('the module that builds Consul keeps its requirements and drops its local replacements', t => {
  const original = `module github.com/hashicorp/consul

go 1.25.9

replace (
	github.com/hashicorp/consul/api => ./api
)

exclude (
	example.com/bad v1.0.0
)

require (
	github.com/hashicorp/consul/api v1.33.7
	github.com/hashicorp/consul/sdk v0.17.3
)
`
  const built = consulModule(original)
  t.notMatch(built, /=>/)
  t.match(built, /^\tgithub\.com\/hashicorp\/consul\/api v1\.34\.5$/m)
  t.match(built, /^\tgithub\.com\/hashicorp\/consul\/sdk v0\.17\.3$/m)
  t.match(built, /example\.com\/bad/)
  t.match(built, /^require github\.com\/hashicorp\/consul v1\.22\.7$/m)
  t.match(built, /^module isthmus\.test\/consul$/m)
  t.end()
})
