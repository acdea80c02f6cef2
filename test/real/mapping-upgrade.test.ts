import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { eventually } from '../tools/process.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

t.test('Mapping: allow_upgrade and use_websocket let WebSockets through, and only where they are written', async t => {
  const server = createServer()
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.pipe(socket)
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const stage = await startStage(t)
  await stage.registerVm('vm-ws', [vmService('ws', (server.address() as AddressInfo).port)])
  await stage.manifests('routes', [
    mappingObject('open', { prefix: '/open/', service: 'ws', allow_upgrade: ['websocket'] }),
    mappingObject('old', { prefix: '/old/', service: 'ws', use_websocket: true }),
    mappingObject('long', { prefix: '/long/', service: 'ws', allow_upgrade: ['websocket'], timeout_ms: 100 }),
    mappingObject('shut', { prefix: '/shut/', service: 'ws' }),
  ])
  const upgrade = async (path: string, waitMs = 0): Promise<string> => {
    const socket = connect(stage.port, '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => {
      if (text === '' && more.includes(' 101 ')) setTimeout(() => socket.write('hello over there'), waitMs)
      text += more
      if (text.includes('hello over there') || !text.startsWith('HTTP/1.1 101')) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`)
    await once(socket, 'close')
    return text
  }
  await eventually('the WebSocket echoes', async () => (await upgrade('/open/')).includes('hello over there'))
  t.match(await upgrade('/shut/'), /^HTTP\/1.1 403/)
  t.match(await upgrade('/old/'), /hello over there/, 'the older word for it')
  t.match(await upgrade('/long/', 400), /hello over there/, 'the time-out of a request does not count once the protocol has changed')
})
