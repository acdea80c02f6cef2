import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

const marker = 'ISTHMUS_OWN_NETWORK'

/** All addresses of these two, each of which a server can listen on and a client can come from, belong to the machine within. */
const enter = 'ip link set lo up && ip route add local 10.77.0.0/16 dev lo && ip route add local 203.0.113.0/24 dev lo && exec "$@"'

/**
 * Makes this process begin again in a network (and a mount) namespace of its own, if it is not in one: every port is free there, and
 * 10.77.0.0/16 leads nowhere but to itself, so that what listens there can stand for pods, whose addresses an API server does not let be
 * loopback, and 203.0.113.0/24, whose addresses are nobody's (RFC 5737), for clients from outside. Call it before anything else. Needs Linux,
 * util-linux and iproute2, but not root; ends the process with what is missing.
 */
export function enterOwnNetwork(): void {
  if (process.env[marker] !== undefined) return
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const unshare = folders.map(folder => join(folder, 'unshare')).find(path => existsSync(path))
  if (process.platform !== 'linux' || unshare === undefined || process.execve === undefined)
    throw new Error('this test needs a network namespace of its own: run it on Linux with util-linux (unshare) and iproute2 (ip) installed')
  // What started this process may have given it a channel, which ends here.
  const { NODE_CHANNEL_FD: _channel, ...environment } = process.env
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  process.execve(unshare, [unshare, '--map-root-user', '--net', '--mount', '--', 'sh', '-c', enter, 'sh', ...again], {
    ...environment,
    [marker]: '1',
  })
}
