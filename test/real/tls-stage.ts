import { readFile } from 'node:fs/promises'
import { request, type RequestOptions } from 'node:https'
import type { PeerCertificate } from 'node:tls'
import { startBackends } from '../tools/http-backend.ts'
import { freePort, temporaryFolder, type Teardown } from '../tools/local.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { type Stage, startStage, vmService } from './stage.ts'

const api = 'getambassador.io/v3alpha1'

/** An object of getambassador.io in the namespace default. */
export function object(kind: string, name: string, spec: object): object {
  return { apiVersion: api, kind, metadata: { name }, spec }
}

/** A Secret with a certificate and its key, and more. */
export async function secret(name: string, files: CertificateFiles, more: Readonly<Record<string, string>> = {}): Promise<object> {
  const stringData = { 'tls.crt': await readFile(files.certFile, 'utf8'), 'tls.key': await readFile(files.keyFile, 'utf8'), ...more }
  return { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name }, stringData }
}

/** A Host that redirects cleartext. */
export function host(hostname: string, name: string, tls: object): object {
  return object('Host', name, { hostname, requestPolicy: { insecure: { action: 'Redirect' } }, ...tls })
}

/** A Listener of a protocol, with every Host. */
export function httpsListener(port: number, protocol = 'HTTPS'): object {
  return object('Listener', `on-${port}`, { port, protocol, securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } })
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly certificate: string
}

interface Asking {
  readonly sni: string
  /** More options of node:https. */
  readonly more?: Omit<RequestOptions, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }
  readonly host?: string
  readonly ca?: Buffer
  readonly own?: CertificateFiles
}

/** One request over TLS; rejects when the handshake fails. */
export async function ask(port: number, path: string, { sni, host: name, ca, own, more = {} }: Asking): Promise<Answer> {
  const client = own === undefined ? {} : { cert: await readFile(own.certFile), key: await readFile(own.keyFile) }
  return new Promise((resolve, reject) => {
    const trust = ca === undefined ? { rejectUnauthorized: false } : { ca }
    const sent = request(
      {
        port,
        path,
        host: '127.0.0.1',
        servername: sni,
        agent: false,
        ...trust,
        ...client,
        ...more,
        headers: { host: name ?? sni, ...more.headers },
      },
      response => {
        const { socket } = response as unknown as { socket: { getPeerCertificate(): PeerCertificate } }
        const certificate = String(socket.getPeerCertificate().subject.CN)
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body, certificate }))
      },
    )
    sent.on('error', reject).end()
  })
}

interface Scene {
  readonly stage: Stage
  readonly folder: string
  readonly authority: CertificateFiles
  readonly port: number
  readonly certificate: (name: string, ...hosts: readonly string[]) => Promise<CertificateFiles>
}

/** A stage with a backend and no Host. */
export async function begin(t: Teardown): Promise<Scene> {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const [backend] = await startBackends(t, 1)
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  await stage.registerVm('vm-1', [vmService('web', backend.port)])
  // The stage begins with a Host for every name, in cleartext.
  await stage.manifests('base', [])
  const certificate = (name: string, ...hosts: readonly string[]): Promise<CertificateFiles> =>
    makeCertificate(folder, name, authority, hosts)
  return { stage, folder, authority, port: await freePort(), certificate }
}
