import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ListenOptions, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The part of a tap test that cleaning up needs. */
export interface Teardown {
  teardown(work: () => unknown): void
}

// Below the range from which the kernel takes the ports of outgoing connections, so nobody takes one between asking and listening.
const firstPort = 20_000
const portCount = 10_000
const claims = new Map<number, Server>()

/**
 * A TCP port of 127.0.0.1 on which nobody listens and which no test has been given, of this process or (on Linux) of any other that still
 * runs. Throws if there is none.
 */
export async function freePort(): Promise<number> {
  const start = Math.floor(Math.random() * portCount)
  for (let offset = 0; offset < portCount; offset++) {
    const port = firstPort + ((start + offset) % portCount)
    if ((await claim(port)) && (await canListen(port))) return port
  }
  throw new Error(`no free port between ${firstPort} and ${firstPort + portCount}`)
}

/** That many different free ports. Throws as freePort does. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

/** A new folder in the system's temporary folder, removed after the test. */
export async function temporaryFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/**
 * Takes a port for this process: test files run side by side, and between asking for a port and listening there is time for another to be
 * given it. The claim is an abstract socket of the port's name, which the kernel takes back when the process ends, however it ends.
 */
async function claim(port: number): Promise<boolean> {
  if (claims.has(port)) return false
  const server = createServer().unref()
  if (process.platform === 'linux' && !(await listens(server, { path: `\0isthmus-test-port-${port}` }))) return false
  claims.set(port, server)
  return true
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer()
  const can = await listens(server, { port, host: '127.0.0.1', exclusive: true })
  server.close()
  return can
}

async function listens(server: Server, where: ListenOptions): Promise<boolean> {
  try {
    server.listen(where)
    await once(server, 'listening')
    return true
  } catch {
    return false
  }
}
