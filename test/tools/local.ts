import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The part of a tap test that cleaning up needs. */
export interface Teardown {
  teardown(work: () => unknown): void
}

// Below the range from which the kernel takes the ports of outgoing connections, so nobody takes one between asking and listening.
const firstPort = 20_000
const portCount = 10_000
const given = new Set<number>()

/** A TCP port of 127.0.0.1 on which nobody listens and which this process has not been given before. Throws if there is none. */
export async function freePort(): Promise<number> {
  const start = Math.floor(Math.random() * portCount)
  for (let offset = 0; offset < portCount; offset++) {
    const port = firstPort + ((start + offset) % portCount)
    if (given.has(port) || !(await canListen(port))) continue
    given.add(port)
    return port
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

async function canListen(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port === port
  } catch {
    return false
  } finally {
    server.close()
  }
}
