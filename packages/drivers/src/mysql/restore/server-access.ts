import { AppError } from '@holdfast/core'
import type { MysqlConnection } from '../mysql-url.ts'
import { displayMysqlUrl } from '../mysql-url.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'

/** Without an answer by then a server that must know something at once is given up. */
const ANSWER_WITHIN_MS = 120_000

/** The schema that a URL names. Throws INVALID_CONNECTION if it names a server as a whole. */
export function destinationOf({ database }: MysqlConnection): string {
  if (database !== null) return database
  throw new AppError('INVALID_CONNECTION', 'the MySQL URL names a server, not a database', {
    hint: 'write the name of the database behind the host: mysql://user:password@host/database',
  })
}

/** Runs work on a session that is in no schema, and closes it. A question that goes unanswered for long ends it. */
export async function withSession<Result>(
  connection: MysqlConnection,
  lockName: string | null,
  signal: AbortSignal,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const options = { schema: null, signal, ...(lockName === null ? {} : { lockName }) }
  const session = await openSession(connection, options)
  try {
    return await work(impatient(session))
  } finally {
    await session.close()
  }
}

function impatient(session: Session): Session {
  const { id, server, encrypted, lost } = session
  return {
    ...{ id, server, encrypted, lost },
    query: (sql, params, options) => session.query(sql, params, { withinMs: ANSWER_WITHIN_MS, ...options }),
    close: () => session.close(),
  }
}

/** Where a schema of the server is, without a user and without secrets. */
export function locationOf(connection: MysqlConnection, schema: string): string {
  const { user } = connection
  const shown = displayMysqlUrl({ ...connection, database: schema, sslMode: 'prefer' })
  return shown.replace(`${encodeURIComponent(user)}@`, '')
}
