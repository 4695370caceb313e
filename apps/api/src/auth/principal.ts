import type { Role } from '@holdfast/core'
import { AppError, allows } from '@holdfast/core'
import type { FastifyRequest } from 'fastify'

/** Who makes a request, as proven by a key. */
export interface Principal {
  /** Name of the key; `environment` for the one that the environment gave. */
  readonly name: string
  readonly role: Role
}

/** Name of the key that HOLDFAST_API_KEY gives; no other key may have it. */
export const ENVIRONMENT_KEY = 'environment'
/** What the audit trail calls somebody without a valid key; no key may have it either. */
export const ANONYMOUS = 'anonymous'

// kept beside the request rather than on it, so that nothing can be read before it was proven
const principals = new WeakMap<FastifyRequest, Principal>()

export function rememberPrincipal(request: FastifyRequest, principal: Principal): void {
  principals.set(request, principal)
}

/** Null before authentication, and on routes that need none. */
export function findPrincipal(request: FastifyRequest): Principal | null {
  return principals.get(request) ?? null
}

/** Throws UNAUTHENTICATED where nobody was proven. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request)
  if (principal) return principal
  throw new AppError('UNAUTHENTICATED', 'this call needs an API key')
}

/** Throws FORBIDDEN unless the key's role allows what needs `role`. */
export function requireRole(principal: Principal, role: Role, what: string): void {
  if (allows(principal.role, role)) return
  throw new AppError('FORBIDDEN', `${what} needs a key of role ${role}`, {
    hint: `the key '${principal.name}' has the role ${principal.role}; an admin can make another`,
  })
}
