import type { DumpDescription, RestoreNeeds, RestoreOptions } from '@holdfast/core'
import { AppError, requireScratchSpace } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import type { Session } from '../session.ts'
import { requireFormat } from './archive.ts'
import { findLocale } from './find-locale.ts'
import { findRoom } from './find-room.ts'
import { findVersions } from './find-versions.ts'
import type { DatabaseRow } from './inspect-destination.ts'
import { findDatabase } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import { openAnywhere, withSession } from './maintenance.ts'
import type { Findings } from './missing-objects.ts'
import {
  findMissingExtensions,
  findMissingRoles,
  findMissingTablespaces,
  findRestricted,
  joined,
  NOTHING_FOUND,
} from './missing-objects.ts'
import type { UserRights } from './user-rights.ts'
import { rightsOf } from './user-rights.ts'

/** A database takes about so much more room than the bytes of its dump. */
const BLOAT = 1.3

/** Looks for all that a restore needs and changes nothing. Rejects with RESTORE_NOT_POSSIBLE naming all that is missing. */
export async function preflight(
  parts: PostgresParts,
  access: ServerAccess,
  dump: DumpDescription,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoreNeeds> {
  requireFormat(dump.format)
  const contents = readContents(dump.attachments)
  await requireScratchSpace(parts.context.scratchDir, dump.sizeBytes)
  return withSession(openAnywhere(access, signal), async (session) => {
    const user = await rightsOf(session)
    const database = await findDatabase(session, access.destination)
    const findings = joined([
      await findVersions(parts.toolbox, session.serverVersion, dump, contents),
      await findRoom(access, session, { user, contents }, database, signal),
      await findContents(session, dump, contents, options, user),
    ])
    requireNothingMissing(access, findings)
    const bytesNeeded = Math.ceil(dump.sizeBytes * BLOAT)
    const warnings = [...findings.warnings, ...leftOutWarnings(contents)]
    return { bytesNeeded, privileges: privilegesUsed(user, database, contents, options), warnings }
  })
}

async function findContents(
  session: Session,
  dump: DumpDescription,
  contents: Contents,
  { keepOwners }: RestoreOptions,
  user: UserRights,
): Promise<Findings> {
  return joined([
    user.canCreateDatabases ? await findLocale(session, contents.database) : NOTHING_FOUND,
    keepOwners ? await findMissingRoles(session, contents, user) : NOTHING_FOUND,
    !keepOwners && dump.format === 'plain' ? ownersInScript() : NOTHING_FOUND,
    await findMissingExtensions(session, contents, user),
    await findMissingTablespaces(session, contents),
    findRestricted(contents, user),
  ])
}

function requireNothingMissing({ destination }: ServerAccess, { problems, hints }: Findings): void {
  if (problems.length === 0) return
  throw new AppError(
    'RESTORE_NOT_POSSIBLE',
    `the backup cannot be restored into ${destination}: ${problems.join('; ')}`,
    {
      hint: hints.join('; '),
    },
  )
}

function ownersInScript(): Findings {
  return {
    problems: ['owners and privileges are part of the text of a plain dump and cannot be left out of it'],
    hints: [
      'create the roles and restore with owners, or restore a backup of format custom, directory or tar',
    ],
    warnings: [],
  }
}

function leftOutWarnings({ leftOut }: Contents): readonly string[] {
  if (leftOut === null) return []
  const { schemas, tables, rowsOf } = leftOut
  const missing = [
    ...(schemas.length === 0 ? [] : [`${schemas.length} schemas (${some(schemas)})`]),
    ...(tables.length === 0 ? [] : [`${tables.length} tables (${some(tables)})`]),
    ...(rowsOf.length === 0 ? [] : [`the rows of ${rowsOf.length} tables (${some(rowsOf)})`]),
  ]
  return [`the backup is not whole, and the restored database will not have ${missing.join(', ')}`]
}

function some(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(', ')}, …` : names.join(', ')
}

/** In words, for the dry run. */
function privilegesUsed(
  user: UserRights,
  database: DatabaseRow | null,
  { database: source, superuserOnly }: Contents,
  { keepOwners }: RestoreOptions,
): readonly string[] {
  if (!user.canCreateDatabases) return [`CREATE in ${database?.name ?? 'the database'}, which must be empty`]
  return [
    user.isSuperuser ? 'superuser' : 'CREATEDB',
    ...(database === null ? [] : [`ownership of ${database.name}, which belongs to ${database.owner}`]),
    ...(database === null ? [] : ['ending the sessions that are connected to it']),
    ...(keepOwners
      ? [`acting for the owners of what is restored; the database goes to ${source.owner}`]
      : []),
    ...(superuserOnly.length === 0 ? [] : [`creating ${superuserOnly.join(', ')}`]),
  ]
}
