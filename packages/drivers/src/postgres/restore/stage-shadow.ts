import { setTimeout as delay } from 'node:timers/promises'
import type { DumpDescription } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import type { Session } from '../session.ts'
import { whileServerAnswers } from '../watch-server.ts'
import { applySettings, settingsIn } from './apply-settings.ts'
import type { Archive } from './archive.ts'
import { createDatabaseLike, shut } from './create-database.ts'
import { dropOwnDatabase } from './drop-database.ts'
import { loadDump } from './load-dump.ts'
import type { ServerAccess } from './maintenance.ts'
import { open, openMaintenance, withSession } from './maintenance.ts'
import type { StageProgress } from './stage-progress.ts'
import { analyzeAndVerify, expectedRows } from './verify-rows.ts'

/** A dump that is to become a database beside the destination. */
export interface ShadowRequest {
  readonly parts: PostgresParts
  readonly access: ServerAccess
  /** Its name, one of our own. */
  readonly name: string
  readonly archive: Archive
  readonly dump: DumpDescription
  readonly contents: Contents
  readonly keepOwners: boolean
  readonly tools: ClientTools
  readonly progress: StageProgress
}

const LOOKS_EVERY_MS = 1_000
const DROPPED_WITHIN_MS = 60_000

/**
 * Creates the database, loads the dump into it and makes sure that all rows are there. Returns its oid. On any
 * failure it is dropped again and nothing of ours works on the server any more, as far as the server can be reached.
 */
export async function stageShadow(request: ShadowRequest, signal: AbortSignal): Promise<number> {
  const { parts, access, name } = request
  return withSession(openMaintenance(access, signal), async (session) => {
    await createDatabaseLike(session, name, request.contents.database)
    const oid = await oidOf(session, name)
    const place = { database: session.database, applicationName: access.applicationName }
    try {
      await whileServerAnswers(parts, place, signal, (watched) => fill(request, session, watched))
      return oid
    } catch (error) {
      await removeShadow(parts, access, name, oid)
      throw error
    }
  })
}

/**
 * Drops a database with all that works in it, for as long as is allowed and without a word. It must be the one with
 * that oid: whoever has taken over the operation may have made another.
 */
async function removeShadow(
  parts: PostgresParts,
  access: ServerAccess,
  name: string,
  oid: number,
): Promise<void> {
  const signal = AbortSignal.timeout(DROPPED_WITHIN_MS)
  const until = AbortSignal.timeout(parts.patience.tidyWithinMs)
  do {
    try {
      await withSession(openMaintenance(access, signal), (session) =>
        dropOwnDatabase(access, session, name, oid, signal),
      )
      return
    } catch {
      // a server that starts again gets its chance; what stays is swept as a leftover
      await delay(LOOKS_EVERY_MS / 4)
    }
  } while (!until.aborted)
}

async function fill(request: ShadowRequest, maintenance: Session, signal: AbortSignal): Promise<void> {
  const { parts, access, name, archive, tools, progress, keepOwners, dump, contents } = request
  const { connection, patience } = parts
  const { applicationName } = access
  const { serverVersion } = maintenance
  const place = { connection, database: name, applicationName, tools, serverVersion }
  progress.expect(archive.toc?.all.length ?? null)
  const hooks = { onEntries: progress.loadedObjects, onScriptBytes: progress.loadedScript }
  const load = { ...place, archive, keepOwners, parallel: patience.parallel, ...hooks }
  await whileWatchingSize(request, maintenance, () => loadDump(load, signal))
  await verify(request, expectedRows(dump, contents), signal)
  const script = settingsIn(dump.attachments)
  if (script !== null) await applySettings(place, { keepOwners, script }, signal)
  await shut(maintenance, name)
}

/** Scripts tell how far they are by themselves. */
async function whileWatchingSize(
  request: ShadowRequest,
  session: Session,
  work: () => Promise<void>,
): Promise<void> {
  if (request.archive.format === 'plain') return work()
  const done = new AbortController()
  const looking = lookAtSize(request, session, done.signal)
  try {
    await work()
  } finally {
    done.abort()
    await looking
  }
}

async function lookAtSize(
  { name, progress, parts: { patience } }: ShadowRequest,
  session: Session,
  done: AbortSignal,
): Promise<void> {
  const pause = () => delay(LOOKS_EVERY_MS, undefined, { signal: done }).catch(() => {})
  for (await pause(); !done.aborted; await pause()) {
    try {
      const [row] = await session.query<{ readonly bytes: number }>(
        'SELECT pg_database_size(oid)::float8 AS bytes FROM pg_database WHERE datname = $1',
        [name],
        { withinMs: patience.silentForMs },
      )
      progress.grown(row?.bytes ?? 0)
    } catch {
      // whoever loads will find out by himself
      return
    }
  }
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

async function oidOf(session: Session, name: string): Promise<number> {
  const [row] = await session.query<{ readonly oid: number }>(
    'SELECT oid FROM pg_database WHERE datname = $1',
    [name],
  )
  if (row === undefined) throw new Error('a database that was created is gone')
  return row.oid
}
