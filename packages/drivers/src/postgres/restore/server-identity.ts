import { AppError } from '@holdfast/core'
import { postgresLockKey } from '../postgres-url.ts'
import type { Session } from '../session.ts'
import type { ServerAccess } from './maintenance.ts'

/** What a server calls itself since it was made; empty if the user may not know. A copy of a server keeps it. */
export async function serverIdentity(session: Session): Promise<string> {
  const asked = session.query<{ readonly id: string }>(
    'SELECT system_identifier::text AS id FROM pg_control_system()',
  )
  const rows = await asked.catch((error: unknown) => {
    if (session.lost.aborted) throw error
    return []
  })
  return rows[0]?.id ?? ''
}

/** A ticket is for one place: a URL that leads elsewhere by now must not receive its data, or lose any. */
export async function requirePlace(
  { connection }: Pick<ServerAccess, 'connection'>,
  session: Session,
  ticket: { readonly place: string; readonly server: string },
): Promise<void> {
  if (ticket.place !== postgresLockKey(connection)) throw elsewhere('database')
  const server = await serverIdentity(session)
  if (ticket.server !== '' && server !== '' && ticket.server !== server) throw elsewhere('server')
}

function elsewhere(what: string): AppError {
  return new AppError(
    'INVALID_REQUEST',
    `the ticket of the restore is for another ${what} than the target now names`,
  )
}
