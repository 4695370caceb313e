import { setTimeout as delay } from 'node:timers/promises'
import type { StageProgress } from '../../client-server/stage-progress.ts'
import type { ClientTools } from '../client-tools.ts'
import type { Session } from '../session.ts'
import type { Archive } from './archive.ts'
import type { LeaveOut } from './load-dump.ts'
import { loadDump } from './load-dump.ts'
import type { OwnDatabase } from './own-database.ts'

/** A dump that goes into a database of our own, which is empty. */
export interface WatchedLoad extends OwnDatabase {
  readonly archive: Archive
  readonly keepOwners: boolean
  readonly isSuperuser?: boolean
  readonly leaveOut?: LeaveOut
  readonly tools: ClientTools
  readonly progress: StageProgress
}

const LOOKS_EVERY_MS = 1_000

/** Loads a dump and tells how far that is, also by how the database grows. Rejects like {@link loadDump}. */
export async function loadWatched(
  load: WatchedLoad,
  maintenance: Session,
  signal: AbortSignal,
): Promise<void> {
  const { parts, access, name, archive, progress } = load
  const { connection, patience } = parts
  const { applicationName } = access
  const { serverVersion } = maintenance
  progress.expect(archive.toc?.all.length ?? null)
  const hooks = { onEntries: progress.loadedObjects, onScriptBytes: progress.loadedScript }
  const place = { connection, database: name, applicationName, serverVersion }
  const request = { ...load, ...place, ...hooks, parallel: patience.parallel }
  await whileWatchingSize(load, maintenance, () => loadDump(request, signal))
}

/** Scripts tell how far they are by themselves. */
async function whileWatchingSize(
  load: WatchedLoad,
  session: Session,
  work: () => Promise<void>,
): Promise<void> {
  if (load.archive.format === 'plain') return work()
  const done = new AbortController()
  const looking = lookAtSize(load, session, done.signal)
  try {
    await work()
  } finally {
    done.abort()
    await looking
  }
}

async function lookAtSize(
  { name, progress, parts: { patience } }: WatchedLoad,
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
