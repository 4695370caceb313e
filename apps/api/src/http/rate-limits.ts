import rateLimit from '@fastify/rate-limit'
import { AppError } from '@holdfast/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findPrincipal } from '../auth/principal.ts'

const WINDOW_MS = 60_000
/** Wrong or missing keys that one address may present in a minute; a valid key is never locked out by them. */
const FAILURES_PER_MINUTE = 600

/** Limits what one key may ask for; without a key, what one address may. */
export async function limitRates(app: FastifyInstance, perMinute: number): Promise<void> {
  await app.register(rateLimit, {
    max: perMinute,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => findPrincipal(request)?.name ?? `address ${request.ip}`,
    errorResponseBuilder: (_request, context) => tooMany(`${context.max} requests a minute`),
  })
}

/** Counts failed authentication by address. */
export interface FailureLimit {
  /** Throws RATE_LIMITED once an address has failed too often. */
  count(request: FastifyRequest): Promise<void>
}

/** Needs {@link limitRates} to be registered before. */
export function limitFailures(app: FastifyInstance): FailureLimit {
  const check = app.createRateLimit({
    max: FAILURES_PER_MINUTE,
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => request.ip,
  })
  return {
    count: async (request) => {
      const result = await check(request)
      if (!result.isAllowed && result.isExceeded) throw tooMany(`${result.max} failed attempts a minute`)
    },
  }
}

function tooMany(limit: string): AppError {
  return new AppError('RATE_LIMITED', `more than ${limit}`, {
    hint: 'wait as long as the Retry-After header says',
  })
}
