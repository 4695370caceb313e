import type { LogLevel } from '@holdfast/core'
import { describeError } from '@holdfast/core'
import type { Logger } from 'pino'
import pino from 'pino'

/** The log of this process: one JSON line an event, errors without the fields that libraries add to them. */
export function createLog(level: LogLevel): Logger {
  return pino({
    level,
    base: { service: 'worker' },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: (error: unknown) => describeError(error) },
  })
}
