import { AppError, hasCode } from '@holdfast/core'
import type { Session } from '../session.ts'

interface Holder {
  readonly id: number | string
  readonly user: string
  readonly host: string
}

/** More names than that help nobody. */
const MOST_NAMED = 5

/** Sessions that are in a transaction, or in a statement on the schema; others hold no locks of tables. */
const HOLDERS = `
  SELECT p.ID AS id, p.USER AS user, p.HOST AS host FROM information_schema.PROCESSLIST p
  WHERE p.ID <> CONNECTION_ID()
    AND (p.ID IN (SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX)
         OR (p.DB = ? AND p.COMMAND = 'Query' AND p.STATE NOT LIKE '%metadata lock%'))
  ORDER BY p.TIME DESC`

/** A failure for want of a lock, with who may hold it; the failure as it is if it is another, or nobody can tell. */
export async function withHolders(session: Session, live: string, error: unknown): Promise<unknown> {
  if (!hasCode(error, 'DATABASE_LOCKED')) return error
  const found = await session.query<Holder>(HOLDERS, [live]).catch(() => [])
  if (found.length === 0) return await withPrepared(session, error)
  const named = found
    .slice(0, MOST_NAMED)
    .map(({ id, user, host }) => `session ${id} (${shown(user)} from ${shown(host)})`)
  const more = found.length > MOST_NAMED ? [`${found.length - MOST_NAMED} more`] : []
  return new AppError(
    'DATABASE_LOCKED',
    `${error.message}; in a transaction: ${[...named, ...more].join(', ')}`,
    {
      hint: 'let these transactions end, or end them with KILL, and ask again',
      cause: error,
    },
  )
}

/** A transaction that was prepared keeps its locks and belongs to no session, not even after a restart. */
async function withPrepared(session: Session, error: AppError): Promise<AppError> {
  const found = await session.query<{ readonly data: unknown }>('XA RECOVER').catch(() => [])
  if (found.length === 0) return error
  const named = found.slice(0, MOST_NAMED).map(({ data }) => shown(String(data).replace(/\p{Cc}/gu, '?')))
  return new AppError('DATABASE_LOCKED', `${error.message}; prepared transactions: ${named.join(', ')}`, {
    hint: 'XA RECOVER lists them, XA COMMIT or XA ROLLBACK ends them: ask again then',
    cause: error,
  })
}

function shown(text: string): string {
  return text.length > 63 ? `${text.slice(0, 62)}…` : text
}
