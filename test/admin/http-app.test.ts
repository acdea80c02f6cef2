import { copyFile, writeFile } from 'node:fs/promises'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { createHttpApp } from '../../src/admin/http-app.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { temporaryFolder } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { makeAuthority, makeCertificate } from '../xds/certificates.ts'

/** The name in the certificate that a server shows now. */
function shown(port: number): Promise<string | string[] | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

t.test('a renewed certificate on disk is shown to new connections; one that cannot be used leaves the former', async t => {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'ca')
  const [first, second] = [await makeCertificate(folder, 'first', authority), await makeCertificate(folder, 'second', authority)]
  const tls = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
  const use = async (from: typeof first): Promise<void> => {
    await copyFile(from.keyFile, tls.keyFile)
    await copyFile(from.certFile, tls.certFile)
  }
  await use(first)
  const lines: string[] = []
  const log = { info: (_: object, text: string) => void lines.push(text), error: (data: object) => void lines.push(JSON.stringify(data)) }
  const app = createHttpApp({ section: 'admin', tls, log })
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  t.equal(await shown(port), 'first')

  await writeFile(tls.certFile, 'no certificate')
  await eventually('the bad file is reported', () => lines.some(line => line.includes('settings-invalid') && line.includes('admin.tls')))
  t.equal(await shown(port), 'first')
  await use(second)
  await eventually('the new certificate is shown', async () => (await shown(port)) === 'second')
})

t.test('a certificate file that cannot be used is named with its setting', async t => {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'ca')
  const [one, other] = [await makeCertificate(folder, 'one', authority), await makeCertificate(folder, 'other', authority)]
  const absent = join(folder, 'absent.pem')
  for (const [change, named] of [
    [{ certFile: absent }, `agents.tls.certFile: ${absent} cannot be read`],
    [{ keyFile: absent }, `agents.tls.keyFile: ${absent} cannot be read`],
    [{ clientCaFile: absent }, `agents.tls.clientCaFile: ${absent} cannot be read`],
    [{ keyFile: other.keyFile }, `agents.tls: ${one.certFile}, ${other.keyFile} cannot be used`],
  ] as const) {
    try {
      createHttpApp({ section: 'agents', tls: { ...one, ...change } })
      t.fail(`taken: ${JSON.stringify(change)}`)
    } catch (error) {
      t.ok(error instanceof IsthmusError && error.code === 'settings-invalid' && error.message.startsWith(named), String(error))
    }
  }
})
