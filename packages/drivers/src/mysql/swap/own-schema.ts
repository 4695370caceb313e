import { AppError } from '@holdfast/core'
import { readOwnName } from '../../client-server/own-names.ts'
import { quoteName, quoteQualified } from '../quote.ts'
import type { Session } from '../session.ts'
import { endSessionsOf } from '../tag.ts'
import { createJournalTable, hasJournalTable, JOURNAL, readEntry, writeEntry } from './journal-table.ts'

/** What a schema of ours says of itself. */
export interface Owner {
  readonly operationId: string
  /** A ticket knows the schema that it is for by this. */
  readonly token: string
}

/** What a schema has been given as its defaults; those of the server if there is nothing. */
export interface SchemaDefaults {
  readonly charset: string
  readonly collation: string
  readonly comment: string
}

const OWNER = 'owner'
/** In one statement: enough for speed, and far from the limit on its length. */
const DROPPED_AT_ONCE = 200
/** Large tables on slow disks. */
const DROPPED_WITHIN_MS = 10 * 60_000

/**
 * Creates a schema with one of our names and writes into it whose it is: without that it would never be dropped.
 * Rejects with DESTINATION_EXISTS if there is one of that name.
 */
export async function createOwnSchema(
  session: Session,
  name: string,
  owner: Owner,
  defaults: SchemaDefaults | null,
): Promise<void> {
  if (readOwnName(name) === null) throw new Error('only schemas with names of our own are made')
  if (await schemaExists(session, name)) {
    throw new AppError('DESTINATION_EXISTS', `there is a schema ${name} on the server already`)
  }
  await session.query(`CREATE DATABASE ${quoteName(name)}${defaults === null ? '' : clausesOf(defaults)}`)
  if (defaults !== null && defaults.comment !== '') await commentOn(session, name, defaults.comment)
  await createJournalTable(session, name)
  await writeEntry(session, name, OWNER, owner)
}

/** What {@link createOwnSchema} wrote; null if the schema is not there, not ours, or was not finished. */
export async function ownerOf(session: Session, name: string): Promise<Owner | null> {
  if (!(await hasJournalTable(session, name))) return null
  const owner = await readEntry(session, name, OWNER).catch(() => undefined)
  return isOwner(owner) ? owner : null
}

/**
 * Drops a schema that {@link createOwnSchema} made, together with the sessions that work in it, and resolves with
 * whether there was one. One that only bears such a name is left alone, unless it is empty. What a first attempt has
 * begun, a second one finishes.
 */
export async function dropOwnSchema(session: Session, name: string): Promise<boolean> {
  const operationId = readOwnName(name)?.operationId
  if (operationId === undefined) throw new Error('only schemas of our own are dropped')
  if (!(await schemaExists(session, name))) return false
  const owner = await ownerOf(session, name)
  const isOurs = owner === null ? await isUnfinished(session, name) : owner.operationId === operationId
  if (!isOurs) return false
  await endSessionsOf(session, name)
  await dropTables(session, name)
  // the journal goes last: without it nobody would know whose the rest is
  await session.query(`DROP DATABASE IF EXISTS ${quoteName(name)}`, [], { withinMs: DROPPED_WITHIN_MS })
  return true
}

export async function schemaExists(session: Session, name: string): Promise<boolean> {
  const rows = await session.query(
    'SELECT 1 AS found FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
    [name],
  )
  return rows.length > 0
}

/** The defaults of a schema as clauses of CREATE and ALTER DATABASE. */
export function clausesOf({ charset, collation }: Omit<SchemaDefaults, 'comment'>): string {
  return ` CHARACTER SET ${wordOf(charset)} COLLATE ${wordOf(collation)}`
}

/** Sets the comment of a schema where schemas have any: in MariaDB. */
export async function commentOn(session: Session, name: string, comment: string): Promise<void> {
  if (session.server.flavour.name !== 'MariaDB') return
  const text = comment.replaceAll('\\', '\\\\').replaceAll("'", "''")
  await session.query(`ALTER DATABASE ${quoteName(name)} COMMENT = '${text}'`)
}

/** Created, and nothing more: a crash came in between. */
async function isUnfinished(session: Session, name: string): Promise<boolean> {
  const rows = await session.query<{ readonly name: string }>(
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?
     UNION ALL SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?
     UNION ALL SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?`,
    [name, name, name],
  )
  return rows.every((row) => row.name === JOURNAL)
}

async function dropTables(session: Session, schema: string): Promise<void> {
  const found = await session.query<{ readonly name: string; readonly kind: string }>(
    'SELECT TABLE_NAME AS name, TABLE_TYPE AS kind FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME <> ?',
    [schema, JOURNAL],
  )
  await session.query('SET SESSION foreign_key_checks = 0')
  try {
    const tables = found.filter(({ kind }) => kind !== 'VIEW').map(({ name }) => quoteQualified(schema, name))
    for (let at = 0; at < tables.length; at += DROPPED_AT_ONCE) {
      const some = tables.slice(at, at + DROPPED_AT_ONCE)
      await session.query(`DROP TABLE IF EXISTS ${some.join(', ')}`, [], { withinMs: DROPPED_WITHIN_MS })
    }
  } finally {
    await session.query('SET SESSION foreign_key_checks = 1').catch(() => {})
  }
}

function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false
  return (
    'operationId' in value &&
    typeof value.operationId === 'string' &&
    'token' in value &&
    typeof value.token === 'string'
  )
}

function wordOf(name: string): string {
  if (/^\w+$/.test(name)) return name
  throw new Error('the name of a character set or collation is not what a server could have printed')
}
