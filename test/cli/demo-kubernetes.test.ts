import { join } from 'node:path'
import t from 'tap'
import { command } from '../tools/cache.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { runToEnd } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'

enterOwnNetwork()
t.setTimeout(150_000)

/** The demo's pod listens on the machine's own address, which must be on an interface that is not loopback. */
const ownInterface =
  'ip link add own0 type veth peer name own1 && ip addr add 10.78.0.1/32 dev own0 && ip link set own0 up && ip link set own1 up'

t.test('demo --kubernetes --once: one service from three registries, an instance moves, no request fails', async t => {
  await command('sh', ['-c', ownInterface])
  const main = join(repository, 'src/main.ts')
  const { code, stdout, stderr } = await runToEnd(process.execPath, [main, 'demo', '--kubernetes', '--once'], {
    cwd: repository,
    timeoutMs: 120_000,
  })
  t.equal(code, 0, stderr)
  for (const instance of ['consul-1 +Consul', 'consul-2 +Consul', 'vm-1 +VM agent', 'vm-2 +VM agent', 'pod-1 +Kubernetes'])
    t.match(stdout, new RegExp(`^ +${instance} +[1-9]`, 'm'))
  t.match(stdout, /^ +consul-1 \(moved\) +Consul +[1-9]/m)
  t.match(stdout, /^No request failed\.$/m)
})
