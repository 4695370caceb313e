import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { MysqlParts } from '../mysql-parts.ts'
import type { Session } from '../session.ts'
import type { SchemaDefaults } from '../swap/own-schema.ts'
import { createOwnSchema, dropOwnSchema } from '../swap/own-schema.ts'
import { endSessions, lockOf } from '../tag.ts'
import { whileServerAnswers } from '../watch-server.ts'
import { withSession } from './server-access.ts'

/** A schema that bears one of our names, on the server of an operation. */
export interface OwnSchema {
  readonly parts: MysqlParts
  readonly operationId: string
  readonly name: string
}

const AGAIN_AFTER_MS = 250
const DROPPED_WITHIN_MS = 60_000

/** Ends what an earlier attempt of the operation left on the server, and drops what it made. */
export async function clearOwnSchema(
  { parts, operationId, name }: OwnSchema,
  signal: AbortSignal,
): Promise<void> {
  await withSession(parts.connection, null, signal, async (session) => {
    await endSessions(session, operationId)
    await dropOwnSchema(session, name)
  })
}

/**
 * Creates a schema and lets `fill` put something into it, as long as the server answers. On any failure it is dropped
 * again and nothing of ours works on the server any more, as far as that can be reached.
 */
export async function makeOwnSchema<Result>(
  schema: OwnSchema,
  defaults: SchemaDefaults,
  fill: (session: Session, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const { parts, operationId, name } = schema
  try {
    return await withSession(parts.connection, lockOf(operationId), signal, async (session) => {
      await createOwnSchema(session, name, { operationId, token: randomUUID() }, defaults)
      return whileServerAnswers(parts, signal, (watched) => fill(session, watched))
    })
  } catch (error) {
    await removeOwnSchema(schema)
    throw error
  }
}

/**
 * Drops a schema with all that works in it, for as long as is allowed. Resolves with false if it is still there. Never
 * rejects.
 */
export async function removeOwnSchema({ parts, name }: OwnSchema): Promise<boolean> {
  const signal = AbortSignal.timeout(DROPPED_WITHIN_MS)
  const until = AbortSignal.timeout(parts.patience.tidyWithinMs)
  do {
    try {
      await withSession(parts.connection, null, signal, (session) => dropOwnSchema(session, name))
      return true
    } catch {
      // a server that starts again gets its chance; what stays is swept as a leftover
      await delay(AGAIN_AFTER_MS)
    }
  } while (!until.aborted)
  return false
}
