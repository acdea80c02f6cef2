import { type Command, InvalidArgumentError, Option } from 'commander'
import { bootstrap } from '../envoy/bootstrap.ts'
import { parseListenAddress } from '../settings/listen-address.ts'
import type { Register } from './command.ts'
import { dataText } from './output.ts'

interface Options {
  readonly nodeId: string
  readonly cluster: string
  readonly zone?: string
  readonly region?: string
  readonly xds: { readonly host: string; readonly port: number }
  readonly protocol: 'delta' | 'sotw'
  readonly adminPort: number
  readonly ready?: { readonly host: string; readonly port: number }
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsServerName?: string
  readonly output: 'json' | 'yaml'
}

/** `isthmus bootstrap`: offline. */
export const register: Register = (program: Command, { io }) => {
  const command: Command = program
    .command('bootstrap')
    .description('The bootstrap of an Envoy that takes everything else from this gateway: isthmus bootstrap --node-id edge-1 > envoy.json')
    .requiredOption('--node-id <id>', 'who this Envoy is; unique among all')
    .option('--xds <host:port>', 'where the gateway is reached', readXds, { host: '127.0.0.1', port: 18_000 })
    .option('--cluster <name>', 'group of Envoys it belongs to', 'isthmus')
    .option('--zone <name>', 'where it runs: a ServicePool may prefer endpoints of the same zone')
    .option('--region <name>', 'where its zone is')
    .addOption(new Option('--protocol <protocol>', 'how it asks').choices(['delta', 'sotw']).default('delta'))
    .option('--admin-port <port>', "Envoy's admin page, on 127.0.0.1", Number, 19_000)
    .option('--ready <host:port>', 'where it answers /ready, for load balancers in front; such as 0.0.0.0:8006', readReady)
    .option('--tls-ca <file>', "CA of the gateway's certificate; set: connect with TLS. Files are those of the machine Envoy runs on")
    .option('--tls-cert <file>', "this Envoy's certificate, for mutual TLS")
    .option('--tls-key <file>', 'its key')
    .option('--tls-server-name <name>', "name in the gateway's certificate (default: the host of --xds)")
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['json', 'yaml']).default('json'))
    .action(async ({ tlsCa, tlsCert, tlsKey, tlsServerName, output, ...options }: Options) => {
      if (tlsCa === undefined && (tlsCert ?? tlsKey ?? tlsServerName) !== undefined)
        command.error('error: --tls-ca is missing: the other --tls options need it')
      const tls =
        tlsCa === undefined
          ? {}
          : {
              tls: {
                caFile: tlsCa,
                ...(tlsCert === undefined ? {} : { certFile: tlsCert }),
                ...(tlsKey === undefined ? {} : { keyFile: tlsKey }),
                ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
              },
            }
      io.out.write(await dataText(bootstrap({ ...options, ...tls }), output))
    })
}

function readReady(text: string): NonNullable<Options['ready']> {
  const address = parseListenAddress(text)
  if (address === undefined) throw new InvalidArgumentError('give HOST:PORT, such as 0.0.0.0:8006')
  return address
}

function readXds(text: string): Options['xds'] {
  const address = text.startsWith(':') ? undefined : parseListenAddress(text)
  if (address === undefined) throw new InvalidArgumentError('give HOST:PORT, such as 127.0.0.1:18000')
  return address
}
