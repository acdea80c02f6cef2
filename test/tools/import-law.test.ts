import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { importLawFindings } from './import-law.ts'
import { type Teardown, temporaryFolder } from './local.ts'

type Tree = Readonly<Record<string, readonly string[]>>

/** A tree of modules, each importing the given specifiers; `type:` marks a type-only import. Imports of missing files get files. */
async function findings(t: Teardown, tree: Tree): Promise<string[]> {
  const root = await temporaryFolder(t)
  const write = async (path: string, text: string, flag: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text, { flag }).catch(() => undefined)
  }
  for (const [path, imports] of Object.entries(tree)) {
    const lines = imports.map(specifier => {
      const [, type, target = ''] = /^(type:)?(.*)$/.exec(specifier) ?? []
      return type === undefined ? `import '${target}'` : `import type { X } from '${target}'`
    })
    await write(path, [...lines, 'export interface X {}', ''].join('\n'), 'w')
    for (const specifier of imports) {
      const target = specifier.replace('type:', '')
      if (target.startsWith('.')) await write(join(dirname(path), target), 'export interface X {}\n', 'wx')
    }
  }
  return importLawFindings(root)
}

t.test('what the design allows passes', async t => {
  const allowed = {
    'src/compose.ts': ['./admin/app.ts', './builtin-plugins.ts', './xds/stream.ts', './discovery/host.ts', './gate.ts'],
    'src/builtin-plugins.ts': ['../plugins/dns/index.ts', 'type:./discovery/contract.ts'],
    'src/cli/serve.ts': ['../compose.ts', '../envoy/bootstrap.ts', 'type:../admin/app.ts'],
    'src/reconcile/reconciler.ts': ['type:../table/reader.ts', '../xds/generate/assignment.ts', '../xds/cache.ts', 'node:timers'],
    'src/xds/generate/assignment.ts': ['../codec.ts', 'type:../../table/reader.ts', '../../ir/route-table.ts'],
    'plugins/dns/index.ts': ['./watch.ts', '../../src/discovery/polling.ts', 'node:dns'],
  }
  t.same(await findings(t, allowed), [])
})

const broken: readonly (readonly [string, string, string])[] = [
  ['src/model/endpoint.ts', 'type:../table/reader.ts', 'model imports nothing'],
  ['src/table/merge.ts', 'type:../discovery/contract.ts', 'the table knows no source'],
  ['src/compile/pools.ts', 'type:../table/reader.ts', 'compile knows no endpoint'],
  ['src/xds/stream.ts', '../reconcile/reconciler.ts', 'a stream knows no reconciler'],
  ['src/xds/cache.ts', 'type:../ir/route-table.ts', 'the cache knows no route'],
  ['src/xds/server.ts', './generate/assignment.ts', 'the server builds no resource'],
  ['src/xds/codec.ts', './cache.ts', 'leaves know only leaves'],
  ['src/xds/generate/listener.ts', 'type:../cache.ts', 'generators know no cache'],
  ['src/reconcile/reconciler.ts', 'type:../table/endpoint-table.ts', 'reconcile only reads the table'],
  ['src/admin/routes/services.ts', 'type:../../table/endpoint-table.ts', 'admin never writes'],
  ['src/admin/routes/objects.ts', '../../manifests/store.ts', 'admin never writes manifests'],
  ['src/cli/why.ts', '../admin/app.ts', 'commands take only types from admin'],
  ['src/discovery/host.ts', '../admin/app.ts', 'nobody imports admin'],
  ['src/compose.ts', '../plugins/dns/index.ts', 'only builtin-plugins imports plugins'],
  ['src/ir/route-table.ts', '../telemetry/log.ts', 'pure code does not log'],
  ['src/compile/pools.ts', 'node:fs/promises', 'pure code reads no file'],
  ['plugins/dns/translate.ts', 'node:timers', 'translate has no clock'],
  ['plugins/dns/index.ts', '../consul/index.ts', 'plugins know nothing of each other'],
  ['plugins/dns/index.ts', '../../src/discovery/host.ts', 'plugins know only the contract'],
  ['vm-agent/src/main.ts', '../../src/model/endpoint.ts', 'the agent stands alone'],
  ['src/settings/load.ts', '../../test/tools/local.ts', 'sources do not know tests'],
]
t.test('what it forbids is found', async t => {
  const tree: Record<string, string[]> = {}
  for (const [path, target] of broken) (tree[path] ??= []).push(target)
  const found = await findings(t, tree)
  for (const [path, specifier, reason] of broken) {
    const target = specifier.replace('type:', '')
    const resolved = target.startsWith('.') ? join(dirname(path), target) : target.replace('node:', '')
    t.ok(
      found.some(line => line.endsWith(`: ${path} → ${resolved}`)),
      `${path} may not import ${specifier}: ${reason}`,
    )
  }
})

t.test('a cycle is found, through types too', async t => {
  const cycle = await findings(t, { 'src/table/a.ts': ['./b.ts'], 'src/table/b.ts': ['type:./a.ts'] })
  t.match(cycle, [/^no-cycles: src\/table\/a\.ts → src\/table\/b\.ts → src\/table\/a\.ts/])
})
