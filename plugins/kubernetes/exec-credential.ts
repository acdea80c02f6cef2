import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { errorText } from '../../src/model/errors.ts'
import { KubeFailure } from './failure.ts'
import type { ExecPlugin, KubeAccess } from './kubeconfig.ts'

/** What a credential plug-in gave. */
export interface ExecCredential {
  readonly token: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  /** Wall clock ms; Infinity when it has no end. */
  readonly expiresAt: number
}

/** A plug-in may have to ask a server of its own. */
const timeoutMs = 60_000

/** Runs a kubeconfig's credential plug-in. Throws KubeFailure `unauthorized` with its name and what it printed. */
export async function runExecPlugin(exec: ExecPlugin, access: KubeAccess, ca: string | undefined): Promise<ExecCredential> {
  const cluster = {
    server: access.server.href.replace(/\/$/, ''),
    ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
    'insecure-skip-tls-verify': access.anyCertificate,
  }
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.provideClusterInfo ? { cluster } : {}) },
  }
  const env = { ...process.env, ...exec.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) }
  try {
    const { stdout } = await promisify(execFile)(exec.command, [...exec.args], { env, timeout: timeoutMs, encoding: 'utf8' })
    return credentialOf(JSON.parse(stdout) as unknown)
  } catch (error) {
    const printed = (error as { stderr?: unknown }).stderr
    const said = typeof printed === 'string' && printed.trim() !== '' ? printed.trim().slice(-300) : errorText(error)
    const hint = exec.installHint === undefined ? '' : ` (${exec.installHint})`
    throw new KubeFailure('unauthorized', `the credential plug-in ${exec.command} failed: ${said}${hint}`, { cause: error })
  }
}

function credentialOf(answer: unknown): ExecCredential {
  const status = (answer as { status?: Readonly<Record<string, unknown>> } | null)?.status ?? {}
  const field = (name: string): string | undefined => (typeof status[name] === 'string' ? status[name] : undefined)
  const [token, cert, key] = [field('token'), field('clientCertificateData'), field('clientKeyData')]
  if (token === undefined && cert === undefined) throw new Error('it printed no ExecCredential with a token or a certificate')
  const expires = Date.parse(field('expirationTimestamp') ?? '')
  return { token, cert, key, expiresAt: Number.isNaN(expires) ? Infinity : expires }
}
