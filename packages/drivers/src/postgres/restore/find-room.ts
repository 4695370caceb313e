import type { Contents } from '../contents/contents-file.ts'
import type { Session } from '../session.ts'
import { clientsOf } from './end-clients.ts'
import type { DatabaseRow } from './inspect-destination.ts'
import { isOccupied } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import type { Findings } from './missing-objects.ts'
import { NOTHING_FOUND } from './missing-objects.ts'
import type { UserRights } from './user-rights.ts'

const MOST_NAMED = 5

/** Whether the user may put a database where the restored one goes. */
export async function findRoom(
  access: ServerAccess,
  session: Session,
  { user, contents }: { readonly user: UserRights; readonly contents: Contents },
  database: DatabaseRow | null,
  signal: AbortSignal,
): Promise<Findings> {
  if (user.isReadOnly)
    return problem('the server is a standby, which can only be read', 'restore into the primary')
  if (database?.isTemplate === true) {
    return problem(`${database.name} is a template of the server`, 'restore into a database of another name')
  }
  if (!user.canCreateDatabases) return findRoomInside(access, user, contents, database, signal)
  if (database === null) return NOTHING_FOUND
  if (!database.isOwn) {
    return problem(
      `the user ${user.name} does not own the database ${database.name} and may not replace it`,
      `make ${user.name} its owner or a member of ${database.owner}`,
    )
  }
  return { ...NOTHING_FOUND, warnings: await unendable(session, user, database) }
}

/** Without the right to create databases nothing can be put aside: there must be nothing. */
async function findRoomInside(
  access: ServerAccess,
  user: UserRights,
  { database: source }: Contents,
  database: DatabaseRow | null,
  signal: AbortSignal,
): Promise<Findings> {
  const may = `the user ${user.name} may not create databases`
  const hint = `give ${user.name} CREATEDB, or name a database that exists and is empty`
  if (database === null) return problem(`${may}, and ${access.destination} does not exist`, hint)
  if (await isOccupied(access, database.name, signal)) {
    return problem(
      `${may}, and ${database.name} is not empty: without that right nothing can be replaced`,
      hint,
    )
  }
  if (database.encoding !== source.encoding) {
    return problem(
      `${database.name} has the encoding ${database.encoding}, the source had ${source.encoding}`,
      `create it with ENCODING '${source.encoding}' TEMPLATE template0`,
    )
  }
  const warning = `${may}: the dump is loaded into ${database.name} in one transaction, which keeps its owner and locale`
  return { ...NOTHING_FOUND, warnings: [warning] }
}

/** Sessions that the swap would have to end and may not. */
async function unendable(
  session: Session,
  user: UserRights,
  { oid }: DatabaseRow,
): Promise<readonly string[]> {
  if (user.isSuperuser) return []
  const clients = await clientsOf(session, [oid])
  const others = [...new Set(clients.map((client) => client.user ?? 'the server itself'))].filter(
    (name) => name !== user.name,
  )
  if (others.length === 0) return []
  const named = others.slice(0, MOST_NAMED).join(', ')
  return [
    user.canEndSessions
      ? `sessions of ${named} will be ended, unless they are superusers': those stop the swap`
      : `sessions of ${named} are connected, which the user may end only with pg_signal_backend or as a member`,
  ]
}

function problem(text: string, hint: string): Findings {
  return { problems: [text], hints: [hint], warnings: [] }
}
