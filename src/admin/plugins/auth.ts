import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { errorText, IsthmusError } from '../../model/errors.ts'
import type { AdminToken } from '../../settings/settings.ts'

type Role = AdminToken['role']

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may call the route; `open`: everybody. Left out: read. */
    access?: Role | 'open'
  }
  interface FastifyRequest {
    /** Name of the token it came with; undefined where nobody needs one. */
    tokenName: string | undefined
  }
}

const rank: Readonly<Record<Role, number>> = { read: 0, operate: 1, admin: 2 }

/**
 * Asks for a bearer token once `tokens` names some; without any, everybody who reaches the address is admin. Tokens are in files, which
 * are read again when they change. A file that cannot be read lets nobody in, and `onUnreadable` hears of it.
 */
export function addAuth(app: FastifyInstance, tokens: readonly AdminToken[], onUnreadable: (file: string, error: string) => void): void {
  app.decorateRequest('tokenName', undefined)
  if (tokens.length === 0) return
  const files = tokens.map(token => ({ name: token.name, role: token.role, digest: tokenFile(token.file, onUnreadable) }))
  app.addHook('onRequest', (request, _reply, done) => {
    const { access = 'read' } = request.routeOptions.config
    if (access === 'open') {
      done()
      return
    }
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (given === undefined)
      throw new IsthmusError('token-invalid', 'send a token: Authorization: Bearer TOKEN (commands: --token-file FILE)')
    const wanted = sha256(given)
    // All are compared, so that the time taken says nothing.
    const fitting = files.filter(file => equal(file.digest(), wanted)).sort((a, b) => rank[b.role] - rank[a.role])[0]
    if (fitting === undefined) throw new IsthmusError('token-invalid', 'the bearer token is none of admin.tokens')
    const { name, role } = fitting
    request.tokenName = name
    if (rank[role] < rank[access]) throw new IsthmusError('role-insufficient', `this needs a token of role ${access}; yours has ${role}`)
    done()
  })
}

function equal(digest: Buffer | undefined, wanted: Buffer): boolean {
  return digest !== undefined && timingSafeEqual(digest, wanted)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** The digest of the token in a file, as it is now; undefined if there is none. */
function tokenFile(file: string, onUnreadable: (file: string, error: string) => void): () => Buffer | undefined {
  let seen = ''
  let digest: Buffer | undefined
  return () => {
    try {
      const { mtimeMs, size, ino } = statSync(file)
      const now = `${mtimeMs} ${size} ${ino}`
      if (now === seen) return digest
      const token = readFileSync(file, 'utf8').trim()
      digest = token === '' ? undefined : sha256(token)
      seen = now
      if (digest === undefined) onUnreadable(file, 'the file is empty')
    } catch (error) {
      if (seen !== 'missing') onUnreadable(file, errorText(error))
      seen = 'missing'
      digest = undefined
    }
    return digest
  }
}
