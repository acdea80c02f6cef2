import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

async function run(args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [main, ...args])
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const [code] = (await once(child, 'close')) as unknown[]
  return { code, stdout, stderr }
}

void t.test('--help prints the usage and exits 0', async test => {
  test.match(await run(['--help']), { code: 0, stdout: /^Usage: isthmus-agent/, stderr: '' })
})

void t.test('a usage error exits 2 and names the option', async test => {
  test.match(await run(['--gateway', 'http://127.0.0.1:1', '--service', 'name=web,port=x']), {
    code: 2,
    stdout: '',
    stderr: /port must be/,
  })
})

void t.test('SIGTERM ends an agent whose gateway is away, with exit 0', async test => {
  const args = ['--gateway', 'http://127.0.0.1:1', '--service', 'name=web,port=1,check=none', '--log-format', 'json']
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'inherit', 'pipe'] })
  const [line] = (await once(child.stderr, 'data')) as [Buffer]
  test.match(JSON.parse(line.toString().split('\n')[0] ?? ''), { level: 'warn', message: 'not registered' })
  child.kill('SIGTERM')
  test.strictSame((await once(child, 'close')) as unknown[], [0, null])
})
