import type { DumpDescription, RestoreNeeds, RestoreOptions } from '@holdfast/core'
import { AppError, requireScratchSpace } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import type { Session } from '../session.ts'
import { incomingKeys } from '../swap/incoming-keys.ts'
import { findBinaryLog, findDefiners, findPrivileges, neededPrivileges } from './find-privileges.ts'
import { findSettings } from './find-settings.ts'
import type { Findings } from './findings.ts'
import { joined, NOTHING_FOUND, problem, some } from './findings.ts'
import type { SchemaRow } from './inspect-destination.ts'
import { findSchema } from './inspect-destination.ts'
import { destinationOf, withSession } from './server-access.ts'

/** Rows and indexes take about so much more room than the text of a dump. */
const BLOAT = 1.5
/** A schema of ours, and the pattern by which an account is allowed to have such. */
const OWN_SCHEMA = 'holdfast_new_0123456789abcdef0123456789abcdef'
const OWN_PATTERN = 'holdfast\\_%'

/** Looks for all that a restore needs and changes nothing. Rejects with RESTORE_NOT_POSSIBLE naming all that is missing. */
export async function preflight(
  parts: MysqlParts,
  dump: DumpDescription,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoreNeeds> {
  requireFormat(dump.format)
  const contents = readContents(dump.attachments)
  const destination = destinationOf(parts.connection)
  await requireScratchSpace(parts.context.scratchDir, dump.sizeBytes)
  return withSession(parts.connection, null, signal, async (session) => {
    await parts.toolbox.toolsFor(session.server)
    const schema = await findSchema(session, destination)
    const findings = joined([
      await findSettings(session, contents),
      await findAllPrivileges(session, destination, schema, contents),
      await findBinaryLog(session, contents),
      await findDefiners(session, contents, options),
      schema === null ? NOTHING_FOUND : await findIncomingKeys(session, schema.name),
      await findReplica(session),
    ])
    requireNothingMissing(`restored into ${destination}`, findings)
    return {
      bytesNeeded: Math.ceil(dump.sizeBytes * BLOAT),
      privileges: privilegesUsed(destination, contents, options),
      warnings: [...findings.warnings, ...leftOutWarnings(contents)],
    }
  })
}

/** What a drill, which makes no more than a schema of its own, needs of them. */
export async function findNeedsOfDrill(session: Session, contents: Contents): Promise<Findings> {
  const kinds = contents.programs.map(({ kind }) => kind).filter((kind) => kind !== 'event')
  return joined([
    await findSettings(session, contents),
    await findPrivileges(session, OWN_SCHEMA, OWN_PATTERN, neededPrivileges(kinds)),
    await findBinaryLog(session, contents),
  ])
}

/** Throws INVALID_REQUEST for a format that is not ours. */
export function requireFormat(format: string): void {
  if (format === 'plain') return
  throw new AppError('INVALID_REQUEST', `the MySQL driver knows no format ${format}`)
}

/** Throws RESTORE_NOT_POSSIBLE naming all problems and what to do about each. */
export function requireNothingMissing(what: string, { problems, hints }: Findings, more = ''): void {
  if (problems.length === 0) return
  const hint = [...hints, ...(more === '' ? [] : [more])].join('; ')
  throw new AppError('RESTORE_NOT_POSSIBLE', `the backup cannot be ${what}: ${problems.join('; ')}`, { hint })
}

async function findAllPrivileges(
  session: Session,
  destination: string,
  schema: SchemaRow | null,
  { programs }: Contents,
): Promise<Findings> {
  const kinds = [
    ...programs.map(({ kind }) => kind),
    ...((schema?.routines ?? 0) > 0 ? (['procedure'] as const) : []),
    ...((schema?.events ?? 0) > 0 ? (['event'] as const) : []),
  ]
  const needed = neededPrivileges(kinds)
  return joined([
    await findPrivileges(
      session,
      OWN_SCHEMA,
      OWN_PATTERN,
      needed.filter((name) => name !== 'EVENT'),
    ),
    await findPrivileges(session, schema?.name ?? destination, schema?.name ?? destination, needed),
  ])
}

/** A foreign key of another schema follows the table that it names to wherever that is moved. */
async function findIncomingKeys(session: Session, schema: string): Promise<Findings> {
  const keys = await incomingKeys(session, schema)
  if (keys.length === 0) return NOTHING_FOUND
  return problem(
    `tables of other schemas have foreign keys into ${schema}, which would go on to what is moved aside: ${some(keys)}`,
    'drop those foreign keys before and create them again after the restore',
  )
}

async function findReplica(session: Session): Promise<Findings> {
  const { flavour, version } = session.server
  const ofMysql = version >= 80_022 ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS'
  // needs a privilege of its own, without which nothing is known
  const sql = flavour.name === 'MySQL' ? ofMysql : 'SHOW ALL SLAVES STATUS'
  const rows = await session.query<object>(sql).catch(() => [])
  if (rows.length === 0) return NOTHING_FOUND
  return problem(
    'the server is a replica of another one, from which it would differ then',
    'name its primary, or end its replication (RESET REPLICA ALL)',
  )
}

function leftOutWarnings({ leftOut }: Contents): readonly string[] {
  if (leftOut === null) return []
  const { tables, rowsOf, programs } = leftOut
  const missing = [
    ...(tables.length === 0 ? [] : [`${tables.length} tables (${some(tables)})`]),
    ...(rowsOf.length === 0 ? [] : [`the rows of ${rowsOf.length} tables (${some(rowsOf)})`]),
    ...(programs.length === 0 ? [] : [`${programs.length} programs (${some(programs)})`]),
  ]
  return [`the backup is not whole, and the restored database will not have ${missing.join(', ')}`]
}

/** In words, for the dry run. */
function privilegesUsed(
  destination: string,
  { programs }: Contents,
  { keepOwners, definer }: RestoreOptions,
): readonly string[] {
  const needed = neededPrivileges(programs.map(({ kind }) => kind)).join(', ')
  const account = definer ?? 'the definers that they had'
  return [
    `${needed} on ${OWN_PATTERN}`,
    `the same on ${destination}`,
    ...(keepOwners && programs.length > 0 ? [`creating programs that belong to ${account}`] : []),
  ]
}
