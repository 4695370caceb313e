import { throwIfAborted } from '@holdfast/core'
import { escapeIdentifier } from 'pg'
import { readOwnName } from '../../client-server/own-names.ts'
import type { Session } from '../session.ts'
import type { ServerAccess } from './maintenance.ts'
import { openBriefly, withSession } from './maintenance.ts'

interface Doomed {
  readonly oid: number
  readonly isTemplate: boolean
  readonly allowsConnections: boolean
  /** What an interrupted DROP DATABASE leaves: it can be dropped, and nothing else. */
  readonly isInvalid: boolean
  readonly hasSubscriptions: boolean
}

const FIND = `
  SELECT oid, datistemplate AS "isTemplate", datallowconn AS "allowsConnections", datconnlimit = -2 AS "isInvalid",
         EXISTS (SELECT FROM pg_subscription WHERE subdbid = d.oid) AS "hasSubscriptions"
  FROM pg_database AS d WHERE datname = $1`

/** The first version that knows DROP DATABASE … WITH (FORCE). */
const KNOWS_FORCE = 130_000
/** A drop waits for a checkpoint of the server. */
const DROPPED_WITHIN_MS = 10 * 60_000

/**
 * Drops a database that bears one of our names, together with the sessions in it; with an oid only if it is that one.
 * Returns false if there is none. Everything is done so that a second attempt can finish what a first one began.
 */
export async function dropOwnDatabase(
  access: ServerAccess,
  session: Session,
  name: string,
  expectedOid: number | null,
  signal: AbortSignal,
): Promise<boolean> {
  if (readOwnName(name) === null) throw new Error('only databases of our own are dropped')
  const [found] = await session.query<{ readonly [Key in keyof Doomed]: Doomed[Key] }>(FIND, [name])
  if (found === undefined || (expectedOid !== null && found.oid !== expectedOid)) return false
  const quoted = escapeIdentifier(name)
  if (!found.isInvalid) await makeDroppable(access, session, name, found, signal)
  // a walsender of a logical slot holds off even a forced drop
  await session.query(
    'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 AND active',
    [name],
  )
  const force = session.serverVersion >= KNOWS_FORCE ? ' WITH (FORCE)' : ''
  await session.query(`DROP DATABASE IF EXISTS ${quoted}${force}`, [], { withinMs: DROPPED_WITHIN_MS })
  return true
}

async function makeDroppable(
  access: ServerAccess,
  session: Session,
  name: string,
  { isTemplate, allowsConnections, hasSubscriptions }: Doomed,
  signal: AbortSignal,
): Promise<void> {
  const quoted = escapeIdentifier(name)
  if (isTemplate) await session.query(`ALTER DATABASE ${quoted} IS_TEMPLATE false`)
  if (!hasSubscriptions) return
  if (!allowsConnections) await session.query(`ALTER DATABASE ${quoted} ALLOW_CONNECTIONS true`)
  await withSession(openBriefly(access, name, signal), (inside) => dropSubscriptions(inside, signal))
}

/** A copy knows the slots of its original: they are left alone, only the subscriptions themselves go. */
async function dropSubscriptions(session: Session, signal: AbortSignal): Promise<void> {
  const found = await session.query<{ readonly name: string }>(
    'SELECT subname AS name FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())',
  )
  for (const { name } of found) {
    throwIfAborted(signal)
    const quoted = escapeIdentifier(name)
    await session.query(`ALTER SUBSCRIPTION ${quoted} DISABLE`)
    await session.query(`ALTER SUBSCRIPTION ${quoted} SET (slot_name = NONE)`)
    await session.query(`DROP SUBSCRIPTION ${quoted}`)
  }
}
