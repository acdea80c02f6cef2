import { type Command, InvalidArgumentError } from 'commander'
import type { DemoOptions } from './demo/run.ts'

/** Adds `isthmus demo` to the program. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('bring up Consul, two VMs with agents, and a gateway with its Envoy, and show a change arrive')
    .option('--port <port>', 'where Envoy listens', parsePort, 8080)
    .option('--admin-port <port>', 'where the admin API listens (default: a free port)', parsePort)
    .option('--folder <path>', 'settings and manifests go there, and stay (default: a temporary folder)')
    .option('--kubernetes', 'with a Kubernetes API server too, that holds one more instance and the manifests', false)
    .option('--once', 'show it once and exit: 0 when everything was seen', false)
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('./demo/run.ts')
      const interrupted = new AbortController()
      const interrupt = (): void => interrupted.abort()
      process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
      process.exitCode = await runDemo(options, line => process.stdout.write(`${line}\n`), interrupted.signal)
    })
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('a port is a number from 1 to 65535')
  return port
}
