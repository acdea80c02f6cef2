import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A certificate and its key, as files. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

async function request(folder: string, name: string, ...options: readonly string[]): Promise<CertificateFiles> {
  return makeSelfSigned(folder, name, 'ec', 'prime256v1', options)
}

/** Makes a certificate with a key of any kind, signed by itself unless `options` say otherwise. */
export async function makeSelfSigned(
  folder: string,
  name: string,
  kind: string,
  curve?: string,
  options: readonly string[] = [],
): Promise<CertificateFiles> {
  const files = { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) }
  const key = [
    '-newkey',
    kind,
    ...(curve === undefined ? [] : ['-pkeyopt', `ec_paramgen_curve:${curve}`]),
    '-noenc',
    '-keyout',
    files.keyFile,
  ]
  await run('openssl', ['req', '-x509', '-days', '2', '-subj', `/CN=${name}`, ...key, '-out', files.certFile, ...options])
  return files
}

/** Makes a certificate authority with openssl. */
export function makeAuthority(folder: string, name: string): Promise<CertificateFiles> {
  return request(folder, name, '-addext', 'basicConstraints=critical,CA:TRUE')
}

/** Makes a certificate that an authority signed, good for server and client. `names`: host names, or others with their type (`URI:…`). */
export function makeCertificate(
  folder: string,
  name: string,
  authority: CertificateFiles,
  names: readonly string[] = ['isthmus.test'],
): Promise<CertificateFiles> {
  const signed = ['-CA', authority.certFile, '-CAkey', authority.keyFile]
  const list = names.map(one => (one.includes(':') ? one : `DNS:${one}`)).join(',')
  return request(folder, name, ...signed, '-addext', `subjectAltName=${list}`, '-addext', 'basicConstraints=CA:FALSE')
}
