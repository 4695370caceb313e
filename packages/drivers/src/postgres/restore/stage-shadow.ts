import type { DumpDescription } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import type { Session } from '../session.ts'
import { applySettings, settingsIn } from './apply-settings.ts'
import { shut } from './create-database.ts'
import type { WatchedLoad } from './load-watched.ts'
import { loadWatched } from './load-watched.ts'
import { open } from './maintenance.ts'
import { makeOwnDatabase } from './own-database.ts'
import { analyzeAndVerify, expectedRows } from './verify-rows.ts'

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
