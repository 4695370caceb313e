import type { Session } from './session.ts'

/** The application_name of everything that works for an operation: 45 of the 63 bytes that it may have. */
export function tagOf(operationId: string): string {
  return `holdfast-${operationId}`
}

/**
 * Ends what still works on the server under a tag, whatever it is doing, and says how many sessions that were. The
 * session that asks is spared. Sessions of other roles need pg_signal_backend and are left alone without it.
 */
export async function endSessions(session: Session, tag: string): Promise<number> {
  const rows = await session.query<{ readonly ended: boolean }>(
    `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
     WHERE application_name = $1 AND pid <> pg_backend_pid() AND usename = session_user`,
    [tag],
  )
  return rows.filter((row) => row.ended).length
}
