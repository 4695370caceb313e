import type { KeyStore } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FailureLimit } from '../http/rate-limits.ts'
import { accessOf } from '../http/route-access.ts'
import type { Credentials } from './credentials.ts'
import { readCredentials } from './credentials.ts'
import { hashKey, sameKey } from './key.ts'
import type { Principal } from './principal.ts'
import { ENVIRONMENT_KEY, findPrincipal, rememberPrincipal, requireRole } from './principal.ts'
import { requireSameOrigin } from './same-origin.ts'

export interface AuthenticateDeps {
  readonly keys: Pick<KeyStore, 'find'>
  /** The key that the environment gave, if any. */
  readonly apiKey: string | null
  readonly failures: FailureLimit
}

/**
 * Lets a request on only with a key of the role that its route names. Runs before anything else, also for paths that
 * do not exist, so that nothing can be learnt without a key.
 */
export function authenticate(deps: AuthenticateDeps) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const access = accessOf(request)
    if (access === 'public') return
    const credentials = readCredentials(request.headers.authorization)
    const principal = credentials && (await findByKey(deps, credentials.key))
    if (!credentials || !principal) {
      reply.header('www-authenticate', challengeFor(request))
      await deps.failures.count(request)
      throw new AppError(
        'UNAUTHENTICATED',
        credentials ? 'the API key is not valid' : 'this call needs an API key',
        {
          hint: 'send it as Authorization: Bearer <key>, or as the password of HTTP Basic with any user name',
        },
      )
    }
    rememberPrincipal(request, principal)
    rememberCredentials(request, credentials)
    if (credentials.scheme === 'basic') requireSameOrigin(request)
    requireRole(principal, access, 'this call')
  }
}

/** False once the key with which this request was made has been revoked. For answers that take long. */
export async function stillAllowed(deps: Pick<AuthenticateDeps, 'keys' | 'apiKey'>, request: FastifyRequest) {
  const credentials = remembered.get(request)
  if (!credentials || findPrincipal(request) === null) return false
  return (await findByKey(deps, credentials.key)) !== null
}

const remembered = new WeakMap<FastifyRequest, Credentials>()

function rememberCredentials(request: FastifyRequest, credentials: Credentials): void {
  remembered.set(request, credentials)
}

async function findByKey(
  deps: Pick<AuthenticateDeps, 'keys' | 'apiKey'>,
  key: string,
): Promise<Principal | null> {
  if (deps.apiKey !== null && sameKey(key, deps.apiKey)) return { name: ENVIRONMENT_KEY, role: 'admin' }
  const found = await deps.keys.find(hashKey(key))
  return found && { name: found.name, role: found.role }
}

/** Browsers ask for a password when challenged with Basic; programs are told of Bearer. */
function challengeFor(request: FastifyRequest): string {
  const forBrowsers =
    request.url.startsWith('/queues') || (request.headers.accept ?? '').includes('text/html')
  return forBrowsers ? 'Basic realm="Holdfast", charset="UTF-8"' : 'Bearer realm="Holdfast"'
}
