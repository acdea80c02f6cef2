import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filePlugin } from '../../plugins/file/index.ts'
import { makeGiven } from './harness.ts'
import { contractSuite, type TestEndpoint } from './suite.ts'

contractSuite('file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-file-'))
  const path = join(folder, 'endpoints.yaml')
  const services = new Map<string, readonly TestEndpoint[]>()
  const put = async (text: string): Promise<void> => {
    await writeFile(`${path}.next`, text)
    await rename(`${path}.next`, path)
  }
  const write = async (): Promise<void> => {
    let text = services.size === 0 ? 'services: []\n' : 'services:\n'
    for (const [name, endpoints] of services) {
      text += `  - name: ${name}\n    endpoints:\n`
      for (const { address, port } of endpoints) text += `      - { address: ${address}, port: ${port} }\n`
    }
    await put(text)
  }
  await write()
  return {
    source: filePlugin.create({ path }, makeGiven()).source,
    noticesFailure: true,
    async set(service, endpoints) {
      if (endpoints.length === 0) services.delete(service)
      else services.set(service, endpoints)
      await write()
    },
    break: () => put('services: [{ name: web, endpoints'),
    mend: write,
    async setBad() {
      services.set('bad', [{ address: '127.0.0.1', port: 1 }])
      await write()
    },
    stop: () => rm(folder, { recursive: true }),
  }
})
