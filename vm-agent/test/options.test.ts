import t from 'tap'
import { parseOptions, UsageError } from '../src/options.ts'

const base = ['--gateway', 'http://10.0.0.5:18090/', '--id', 'vm-1']

void t.test('a short command line gets the documented defaults', async test => {
  test.match(parseOptions([...base, '--service', 'name=web,port=8080']), {
    gateway: 'http://10.0.0.5:18090',
    id: 'vm-1',
    ttlSeconds: 30,
    drainSeconds: 10,
    probeIntervalSeconds: 5,
    rise: 2,
    fall: 3,
    services: [{ name: 'web', ports: [{ name: '', port: 8080, check: { kind: 'tcp' } }], tags: [], meta: {} }],
  })
})

void t.test('all keys of a service are read', async test => {
  const text =
    'name=web,port=8080,namespace=shop,address=10.1.1.1,portName=http,check=http:/health?x=1,weight=50,tag=a,tag=b,meta.version=2'
  test.match(parseOptions([...base, '--service', text]), {
    services: [
      {
        name: 'web',
        namespace: 'shop',
        address: '10.1.1.1',
        ports: [{ name: 'http', port: 8080, check: { kind: 'http', path: '/health?x=1' } }],
        weight: 50,
        tags: ['a', 'b'],
        meta: { version: '2' },
      },
    ],
  })
})

void t.test('several options of one name are the ports of one service', async test => {
  const args = ['--service', 'name=web,port=80,portName=http', '--service', 'name=web,port=90,portName=admin,check=none']
  test.match(parseOptions([...base, ...args]), {
    services: [
      {
        ports: [
          { name: 'http', port: 80 },
          { name: 'admin', port: 90, check: { kind: 'none' } },
        ],
      },
    ],
  })
})

void t.test('--help asks for nothing else', async test => {
  test.equal(parseOptions(['--help']), 'help')
})

void t.test('a mistake names the option at fault', async test => {
  const service = ['--service', 'name=web,port=80']
  const cases: [args: string[], expected: RegExp][] = [
    [service, /--gateway is missing/],
    [['--gateway', 'ftp://x', ...service], /--gateway must be a URL .* not "ftp:\/\/x"/],
    [['--gateway', '10.0.0.5:18090', ...service], /--gateway must be a URL/],
    [base, /--service is missing/],
    [[...base, '--service', 'web'], /--service web: "web" is not of the form key=value/],
    [[...base, '--service', 'port=80'], /name is missing/],
    [[...base, '--service', 'name=web'], /port must be a number/],
    [[...base, '--service', 'name=web,port=0'], /port must be a number from 1 to 65535, not "0"/],
    [[...base, '--service', 'name=web,port=80,prot=x'], /prot is no known key/],
    [[...base, '--service', 'name=web,port=80,check=udp'], /check must be tcp, http:\/PATH or none/],
    [[...base, '--service', 'name=web,port=80,weight=0'], /weight must be a whole number/],
    [[...base, '--service', 'name=a/b,port=80'], /neither a slash/],
    [[...base, ...service, ...service], /--service name=web stands several times/],
    [[...base, ...service, '--ttl', 'soon'], /--ttl must be a number .* not "soon"/],
    [[...base, ...service, '--zone', ''], /--zone must be 1 to 253 characters/],
    [[...base, ...service, '--rise', '1.5'], /--rise must be a whole number/],
    [[...base, ...service, '--log-format', 'xml'], /--log-format must be text or json/],
    [[...base, ...service, '--colour'], /--colour/],
    [['--gateway', 'http://x', '--id', 'a b', ...service], /--id must be/],
  ]
  for (const [args, expected] of cases) {
    try {
      parseOptions(args)
      test.fail(`accepted: ${args.join(' ')}`)
    } catch (error) {
      test.ok(error instanceof UsageError)
      test.match(String(error), expected)
    }
  }
})
