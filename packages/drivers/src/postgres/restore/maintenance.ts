import { AppError, hasCode } from '@holdfast/core'
import { sqlStateOf } from '../failure.ts'
import type { PostgresConnection } from '../postgres-url.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'

/** A database server as one operation sees it. */
export interface ServerAccess {
  readonly connection: PostgresConnection
  /** The database that is restored: nothing may be connected to it while it changes its name. */
  readonly destination: string
  readonly applicationName: string
  /** How long the server may take to answer what it must know at once. */
  readonly answerWithinMs?: number
}

const ANSWER_WITHIN_MS = 120_000

const WRONG_PASSWORD = '28P01'

/** Databases that may be connected to, ordinary ones first. */
const OTHERS = `
  SELECT datname AS name FROM pg_database
  WHERE datallowconn AND datname <> $1 AND datname !~ '^holdfast_' AND has_database_privilege(oid, 'CONNECT')
  ORDER BY datistemplate, datname`

/**
 * Opens a session in a database that is not the destination: a database cannot be renamed from within. Rejects with
 * RESTORE_NOT_POSSIBLE if the user may connect to no other.
 */
export async function openMaintenance(access: ServerAccess, signal: AbortSignal): Promise<Session> {
  const session = await openAnywhere(access, signal)
  if (session.database !== access.destination) return session
  await session.close()
  throw new AppError(
    'RESTORE_NOT_POSSIBLE',
    'the user may connect to no database of the server but the destination itself',
    {
      hint: 'a database can be replaced only from another one: let the user connect to postgres or template1',
    },
  )
}

/** The same, but in the destination if there is no other. */
export async function openAnywhere(access: ServerAccess, signal: AbortSignal): Promise<Session> {
  const { destination } = access
  for (const database of usualDatabases(access)) {
    const session = await tryOpen(access, database, signal)
    if (session !== null) return session
  }
  const here = await openBriefly(access, destination, signal)
  const others = await here
    .query<{ readonly name: string }>(OTHERS, [destination])
    .catch((error: unknown) => here.close().then(() => Promise.reject(error)))
  for (const { name } of others) {
    const session = await tryOpen(access, name, signal)
    if (session === null) continue
    await here.close()
    return session
  }
  return here
}

/** Runs work on a session that is closed afterwards. */
export async function withSession<Result>(
  opening: Promise<Session>,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const session = await opening
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

/** Opens a session for questions: one that goes unanswered for long ends it, unless it is given more time. */
export async function openBriefly(
  access: ServerAccess,
  database: string,
  signal: AbortSignal,
): Promise<Session> {
  const session = await open(access, database, signal)
  const withinMs = access.answerWithinMs ?? ANSWER_WITHIN_MS
  const { pid, serverVersion, lost } = session
  return {
    ...{ database, pid, serverVersion, lost },
    query: (sql, params, options) => session.query(sql, params, { withinMs, ...options }),
    close: () => session.close(),
  }
}

/** Opens a session for work, which takes as long as it takes: somebody else is to watch the server. */
export function open(
  { connection, applicationName }: ServerAccess,
  database: string,
  signal: AbortSignal,
): Promise<Session> {
  return openSession(connection, { database, applicationName, signal })
}

/** The last one only if need be: a session in it keeps others from creating databases. */
function usualDatabases({ connection, destination }: ServerAccess): readonly string[] {
  const usual = new Set(['postgres', connection.database ?? 'postgres', 'template1'])
  return [...usual].filter((database) => database !== destination)
}

/** Null if this database is not to be had, which says nothing of others. */
async function tryOpen(access: ServerAccess, database: string, signal: AbortSignal): Promise<Session | null> {
  try {
    return await openBriefly(access, database, signal)
  } catch (error) {
    const isRefused = hasCode(error, 'DATABASE_NOT_FOUND') || hasCode(error, 'DATABASE_ACCESS_DENIED')
    if (!isRefused || sqlStateOf(error) === WRONG_PASSWORD) throw error
    return null
  }
}
