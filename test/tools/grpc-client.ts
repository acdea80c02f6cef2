import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials } from '@grpc/grpc-js'
import { register } from '@grpc/grpc-js-xds'

/**
 * A proxyless gRPC client, configured by GRPC_XDS_BOOTSTRAP_CONFIG as any other: calls each `TARGET/METHOD` of its arguments over and over
 * until it is stopped, and prints each answer as `TARGET/METHOD ANSWER`.
 */
register()

const bytes = (buffer: Buffer): Buffer => buffer

/** The body of a unary call's answer, or the number of its status. */
async function call(client: Client, method: string): Promise<string> {
  return new Promise(resolve => {
    client.makeUnaryRequest(method, bytes, bytes, Buffer.alloc(0), { deadline: Date.now() + 10_000 }, (error, answer) => {
      resolve(error === null ? String(answer) : `status ${String(error.code)}`)
    })
  })
}

async function repeat(text: string): Promise<never> {
  const slash = text.indexOf('/')
  const client = new Client(`xds:///${text.slice(0, slash)}`, credentials.createInsecure())
  for (;;) {
    process.stdout.write(`${text} ${await call(client, text.slice(slash))}\n`)
    await sleep(10)
  }
}

await Promise.all(process.argv.slice(2).map(repeat))
