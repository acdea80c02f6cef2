import type { FastifyRequest } from 'fastify'

/** Who does it: the name of the token counts; without tokens, who the body says it is. */
export function actorOf({ tokenName }: Pick<FastifyRequest, 'tokenName'>, body?: { readonly actor?: string }): string {
  return tokenName ?? body?.actor?.trim() ?? 'anonymous'
}
