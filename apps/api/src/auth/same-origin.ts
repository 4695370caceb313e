import { AppError } from '@holdfast/core'
import type { FastifyRequest } from 'fastify'

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Browsers send Basic credentials along with requests that other sites make them send. A write that carries them
 * must therefore come from our own pages; programs send neither header and are not meant.
 */
export function requireSameOrigin(request: FastifyRequest): void {
  if (READS.has(request.method)) return
  const site = request.headers['sec-fetch-site']
  const { origin, host } = request.headers
  const fetchedByUs = site === undefined || site === 'same-origin'
  const sentByUs = origin === undefined || hostOf(origin) === host?.toLowerCase()
  if (fetchedByUs && sentByUs) return
  throw new AppError('FORBIDDEN', 'a change with Basic credentials must come from the same origin', {
    hint: 'use the key as a Bearer token',
  })
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}
