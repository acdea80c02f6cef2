import { once } from 'node:events'
import { connect } from 'node:net'

/** Sends bytes to a port of loopback as they are, and gives all that comes until the other side closes. */
export async function exchange(port: number, sent: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let got = ''
  socket.setEncoding('latin1').on('data', (text: string) => (got += text))
  const ended = once(socket, 'close')
  socket.write(sent, 'latin1')
  await ended
  return got
}
