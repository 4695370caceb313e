import type { LogLevel } from '@holdfast/core'
import type { DestinationStream, Logger } from 'pino'
import pino from 'pino'

const DEEPEST_CAUSE = 4

/**
 * The log of this process: one JSON line an event. Requests are logged without headers, bodies and queries; errors
 * without the fields that libraries add to them, which may quote what they were given.
 */
export function createLog(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service: 'api' },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: {
      err: (error: unknown) => describeError(error, 0),
      req: describeRequest,
      res: describeReply,
    },
    redact: { paths: ['authorization', '*.authorization', '*.headers', '*.cookie'], censor: '(hidden)' },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

function describeError(error: unknown, depth: number): unknown {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const cause =
    error.cause === undefined || depth >= DEEPEST_CAUSE
      ? {}
      : { cause: describeError(error.cause, depth + 1) }
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause }
}

function describeRequest(request: { readonly method?: string; readonly url?: string }) {
  return { method: request.method, path: request.url?.split('?')[0] }
}

function describeReply(reply: { readonly statusCode?: number }) {
  return { statusCode: reply.statusCode }
}
