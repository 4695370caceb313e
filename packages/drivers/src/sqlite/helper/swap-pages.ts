import { dirname } from 'node:path'
import { parseHeader } from './database-header.ts'
import { headerOf } from './destination.ts'
import { numberOf, textOf } from './facts.ts'
import { explain, HelperFailure } from './failure.ts'
import type { JobLink } from './link.ts'
import type { LiveDatabase } from './live-database.ts'
import { enterWal, leaveWal, newestPage1, openLive, withWritable } from './live-database.ts'
import { lstatOrNull } from './locate-file.ts'
import type { LockedState } from './locked-state.ts'
import { lockedState } from './locked-state.ts'
import { hasMarker, placeMarker } from './marker.ts'
import type { OpenSource } from './open-source.ts'
import { replacePages } from './replace-pages.ts'
import type { Kept } from './set-aside.ts'
import { sqlitePath } from './sqlite-path.ts'
import { syncDirectory, syncPath } from './sync-files.ts'

const ENCODING_CHANGED =
  'the restored database has another text encoding: processes that have it open must open it again'

/** New pages for a live database. */
export interface PageSwap {
  readonly live: LiveDatabase
  /** A finished copy beside the database that nobody else has open. */
  readonly source: string
  /** Tells after a crash that these pages have come in. */
  readonly marker: Buffer
  /** Keeps what is there, before the caller is asked; null if it need not be kept. */
  readonly keep: ((locked: LockedState) => Promise<Kept>) | null
  /** The database is to be in WAL mode afterwards, also if a crashed attempt had to leave it. */
  readonly wasWal: boolean
}

/**
 * Gives a live database the pages of another, in one transaction under its own lock; if they have come in already,
 * nothing happens. Returns warnings. Rejects only if the database is what it was.
 */
export async function swapPages(swap: PageSwap, link: JobLink): Promise<readonly string[]> {
  const { live, source } = swap
  placeMarker(source, swap.marker)
  const { isWal, pageSize, encoding } = layoutOf(live)
  const sourceHeader = headerOf(source)
  const mustLeaveWal = isWal && pageSize !== sourceHeader?.pageSize
  if (mustLeaveWal) leaveWal(live)
  try {
    await replaceLocked(swap, link)
  } catch (error) {
    if (mustLeaveWal) enterWal(live)
    throw explain(error, live.realPath)
  }
  const isWalAgain = (isWal && !mustLeaveWal) || !(isWal || swap.wasWal) || enterWal(live)
  return [
    ...(isWalAgain
      ? []
      : ["the destination could not be put back into WAL mode: run 'PRAGMA journal_mode = WAL'"]),
    ...(encoding === sourceHeader?.encoding ? [] : [ENCODING_CHANGED]),
    ...makeDurable(live),
  ]
}

interface Layout {
  readonly isWal: boolean
  readonly pageSize: number
  readonly encoding: string
}

function layoutOf(live: LiveDatabase): Layout {
  using opened = openLive(live)
  return {
    isWal: isInWalMode(opened),
    pageSize: numberOf(opened.connection.pragma('page_size', { simple: true })),
    encoding: textOf(opened.connection.pragma('encoding', { simple: true })),
  }
}

function isInWalMode({ connection }: OpenSource): boolean {
  return connection.pragma('journal_mode', { simple: true }) === 'wal'
}

async function replaceLocked({ live, source, marker, keep }: PageSwap, link: JobLink): Promise<void> {
  const undoing: Kept[] = []
  let cookie: number | null = null
  try {
    using opened = openLive(live)
    const isWal = isInWalMode(opened)
    const outcome = await replacePages({
      source,
      destination: sqlitePath(live.realPath, opened.file),
      lockWaitMs: live.lockWaitMs,
      async whileLocked() {
        const locked = lockedState(opened, isWal)
        if (locked.page1 !== null && hasMarker(locked.page1, marker)) return 'stop'
        cookie = locked.schemaCookie
        const kept = await keep?.(locked)
        if (kept !== undefined) undoing.push(kept)
        await link.confirm()
        kept?.arm()
        return 'go'
      },
      onProgress: link.progress,
    })
    if (outcome === 'stopped') return
    opened[Symbol.dispose]()
    requireCommitted(live, marker, cookie)
  } catch (error) {
    for (const kept of undoing) kept.drop()
    throw error
  }
}

/** better-sqlite3 takes a commit that found the database busy for a success: so it is looked at. */
function requireCommitted(live: LiveDatabase, marker: Buffer, cookieBefore: number | null): void {
  const page1 = newestPage1(live)
  if (page1 === null || hasMarker(page1, marker)) return
  // without room for a marker, or with a new schema since: a commit has raised the cookie
  if (parseHeader(page1)?.schemaCookie !== cookieBefore) return
  throw new HelperFailure(
    'DATABASE_LOCKED',
    'the destination was busy when the new pages were to be committed',
  )
}

/** The change has happened: from here on trouble is told, not thrown. */
function makeDurable(live: LiveDatabase): readonly string[] {
  const { realPath } = live
  try {
    if (lstatOrNull(`${realPath}-wal`) !== null) syncPath(`${realPath}-wal`)
    syncDirectory(dirname(realPath))
  } catch {
    return ['the system could not confirm that the restored database is on disk: look at its log']
  }
  try {
    // without waiting for anybody: what stays in the log is moved by whoever checkpoints next
    withWritable({ realPath, lockWaitMs: 0 }, (connection) => connection.pragma('wal_checkpoint(TRUNCATE)'))
  } catch {
    // somebody is at it: that is as good
  }
  return []
}
