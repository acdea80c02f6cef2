/**
 * A service to try Isthmus with: answers every request with who it is, and `GET /healthz` with 200.
 * Environment: PORT (required), NAME (default "sample"), HOST (default 127.0.0.1).
 */
import { createServer } from 'node:http'

const name = process.env['NAME'] ?? 'sample'
const host = process.env['HOST'] ?? '127.0.0.1'
const port = Number(process.env['PORT'])
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  process.stderr.write('sample-service: set PORT to a port number\n')
  process.exit(2)
}

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ instance: name, path: request.url, host: request.headers.host })}\n`)
})
server.listen(port, host, () => process.stdout.write(`${name} answers on ${host}:${String(port)}\n`))
process.once('SIGTERM', () => {
  server.close()
  server.closeIdleConnections()
})
