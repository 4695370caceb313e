import type { LogLevel } from '@holdfast/core'
import { describeError } from '@holdfast/core'
import type { DestinationStream, Logger } from 'pino'
import pino from 'pino'

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
      err: (error: unknown) => describeError(error),
      req: describeRequest,
      res: describeReply,
    },
    redact: { paths: ['authorization', '*.authorization', '*.headers', '*.cookie'], censor: '(hidden)' },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

function describeRequest(request: { readonly method?: string; readonly url?: string }) {
  return { method: request.method, path: request.url?.split('?')[0] }
}

function describeReply(reply: { readonly statusCode?: number }) {
  return { statusCode: reply.statusCode }
}
