import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { TlsFiles } from './settings.ts'
import { type FilesWatch, watchFiles } from './watch-files.ts'

/** What a server needs for TLS, as PEM; with `ca` every client must show a certificate that comes from it. */
export interface Tls {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca?: Buffer
}

/**
 * Reads the certificate files of a listener.
 * @param section of the settings, such as `admin.tls`: errors name it
 * @throws IsthmusError `settings-invalid` naming the file that cannot be read, or saying that certificate and key do not go together
 */
export function readTls(section: string, { certFile, keyFile, clientCaFile }: TlsFiles): Tls {
  const read = (key: string, file: string): Buffer => {
    try {
      return readFileSync(file)
    } catch (cause) {
      throw new IsthmusError('settings-invalid', `${section}.${key}: ${file} cannot be read: ${errorText(cause)}`, { cause })
    }
  }
  const tls: Tls = {
    cert: read('certFile', certFile),
    key: read('keyFile', keyFile),
    ...(clientCaFile === undefined ? {} : { ca: read('clientCaFile', clientCaFile) }),
  }
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new IsthmusError(
      'settings-invalid',
      `${section}: ${certFile}, ${keyFile}${clientCaFile === undefined ? '' : ` and ${clientCaFile}`} cannot be used: ${errorText(cause)}`,
      { cause },
    )
  }
  return tls
}

/**
 * Follows the certificate files of a listener: certificates are renewed on disk, and a server must not go on showing the old one until it
 * expires (emissary-ingress/emissary#4744).
 * @param onChange gets what the files hold after a change
 * @param onInvalid gets the error of `readTls` otherwise: the former certificate stays
 */
export function watchTls(
  section: string,
  files: TlsFiles,
  onChange: (tls: Tls) => void,
  onInvalid: (error: IsthmusError) => void,
): FilesWatch {
  return watchFiles(
    [files.certFile, files.keyFile, files.clientCaFile].filter(file => file !== undefined),
    () => {
      let tls: Tls
      try {
        tls = readTls(section, files)
      } catch (error) {
        if (!(error instanceof IsthmusError)) throw error
        onInvalid(error)
        return
      }
      onChange(tls)
    },
  )
}
