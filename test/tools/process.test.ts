import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { freePorts, temporaryFolder } from './local.ts'
import { eventually, runToEnd, startProcess } from './process.ts'

t.test('a program is waited for by what it prints and stopped with SIGTERM', async t => {
  const child = await startProcess('sh', ['-c', 'echo one; echo two >&2; sleep 30'])
  t.equal((await child.untilPrinted(/tw(o)/))[1], 'o')
  t.match(child.output(), /one/)
  t.same(await child.stop(), { code: null, signal: 'SIGTERM' })
  t.same(await child.stop(), { code: null, signal: 'SIGTERM' }, 'stopping twice does nothing')
})

t.test('a program that ignores SIGTERM is killed', async t => {
  const child = await startProcess('sh', ['-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done'])
  await child.untilPrinted(/up/)
  t.equal((await child.stop(200)).signal, 'SIGKILL')
})

t.test('waiting ends early, with the output, when the program ends', async t => {
  const child = await startProcess('sh', ['-c', 'echo cannot bind; exit 3'])
  await t.rejects(
    child.until('no answer', () => false, 10_000),
    /no answer[^]*ended with 3[^]*cannot bind/,
  )
})

t.test('waiting is bounded and names the last error', async t => {
  const refused = () => Promise.reject(new Error('refused'))
  await t.rejects(eventually('no answer', refused, 80), /no answer, after 80 ms \(refused\)/)
})

t.test('a program that does not exist is refused', async t => {
  await t.rejects(startProcess('isthmus-no-such-program', []), /not on PATH/)
  await t.rejects(startProcess('/isthmus/no-such-program', []), { code: 'ENOENT' })
})

t.test('a program run to its end gives both outputs and its code', async t => {
  t.match(await runToEnd('sh', ['-c', 'echo out; echo err >&2; exit 4']), { code: 4, stdout: 'out\n', stderr: 'err\n' })
  t.match(await runToEnd('sleep', ['30'], { timeoutMs: 100 }), { code: null, signal: 'SIGKILL' })
})

t.test('a child does not outlive a killed parent', { skip: process.platform !== 'linux' && 'relies on setpriv' }, async t => {
  const script = `import { startProcess } from ${JSON.stringify(import.meta.resolve('./process.ts'))}
    console.log((await startProcess('sleep', ['60'])).pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  t.ok(isRunning(pid))
  parent.kill('SIGKILL')
  await eventually('the child still runs', () => !isRunning(pid), 5000)
})

t.test('ports are free and differ; temporary folders go with their test', async t => {
  const ports = await freePorts(20)
  t.equal(new Set(ports).size, 20)
  let folder = ''
  await t.test('inner', async t => {
    folder = await temporaryFolder(t)
    t.ok((await stat(folder)).isDirectory())
  })
  await sleep(10)
  await t.rejects(stat(folder), { code: 'ENOENT' })
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
