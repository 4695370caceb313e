import type { DumpDescription } from '@holdfast/core'
import { escapeIdentifier } from 'pg'
import type { Contents } from '../contents/contents-file.ts'
import type { Session } from '../session.ts'
import { applySettings, settingsIn } from './apply-settings.ts'
import { shut } from './create-database.ts'
import type { WatchedLoad } from './load-watched.ts'
import { loadWatched } from './load-watched.ts'
import { open } from './maintenance.ts'
import { makeOwnDatabase } from './own-database.ts'
import { analyzeAndVerify, expectedRows } from './verify-rows.ts'

/** The first version in which members may be kept from taking on a role. */
const KNOWS_SET = 160_000

/** A dump that is to become a database beside the destination. */
export interface ShadowRequest extends WatchedLoad {
  readonly dump: DumpDescription
  readonly contents: Contents
}

/**
 * Creates the database, loads the dump into it and makes sure that all rows are there. Returns its oid. On any
 * failure it is dropped again and nothing of ours works on the server any more, as far as the server can be reached.
 */
export async function stageShadow(request: ShadowRequest, signal: AbortSignal): Promise<number> {
  const { database } = request.contents
  const fillIt = (session: Session, watched: AbortSignal) => fill(request, session, watched)
  const { oid } = await makeOwnDatabase(request, database, fillIt, signal)
  return oid
}

async function fill(request: ShadowRequest, maintenance: Session, signal: AbortSignal): Promise<void> {
  const { parts, access, name, tools, keepOwners, dump, contents } = request
  if (keepOwners) await giveTo(contents.database.owner, maintenance, name)
  await loadWatched(request, maintenance, signal)
  await verify(request, expectedRows(dump, contents), signal)
  const script = settingsIn(dump.attachments)
  if (script !== null) {
    const { connection } = parts
    const { applicationName } = access
    const { serverVersion } = maintenance
    const place = { connection, database: name, applicationName, tools, serverVersion }
    await applySettings(place, { keepOwners, script }, signal)
  }
  await shut(maintenance, name)
}

/**
 * Before anything is loaded: the owner of a database may create in its schema `public`, which others may not, and
 * nobody but a superuser can give a table to somebody who may not create it.
 */
async function giveTo(owner: string, maintenance: Session, name: string): Promise<void> {
  const mayGive = `pg_has_role(oid, 'USAGE') AND pg_has_role(oid, '${maintenance.serverVersion >= KNOWS_SET ? 'SET' : 'MEMBER'}')`
  const rows = await maintenance.query(`SELECT FROM pg_roles WHERE rolname = $1 AND ${mayGive}`, [owner])
  if (rows.length === 0) return
  await maintenance.query(`ALTER DATABASE ${escapeIdentifier(name)} OWNER TO ${escapeIdentifier(owner)}`)
}

async function verify(
  { access, name, parts }: ShadowRequest,
  expected: ReturnType<typeof expectedRows>,
  signal: AbortSignal,
): Promise<void> {
  const sessions: Session[] = []
  try {
    const wanted = expected.size === 0 ? 1 : parts.patience.parallel
    for (let count = 0; count < wanted; count += 1) sessions.push(await open(access, name, signal))
    await analyzeAndVerify(sessions, expected)
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
  }
}
