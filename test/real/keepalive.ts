import { readFile } from 'node:fs/promises'

/** For each established connection to a port of loopback that the system keeps alive: in how many seconds it will be probed (proc(5)). */
export async function keepaliveSeconds(port: number): Promise<readonly number[]> {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map(line => line.trim().split(/\s+/))
  return lines.flatMap(([, , to, state, , timer = '']) => {
    const [kind, when = '0'] = timer.split(':')
    return to === remote && state === '01' && kind === '02' ? [Number.parseInt(when, 16) / 100] : []
  })
}
