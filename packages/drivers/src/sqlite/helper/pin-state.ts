import type { DatabaseFacts } from '../protocol.ts'
import type { PageSource } from './copy-pages.ts'
import { readFacts } from './facts.ts'
import { codeOf } from './failure.ts'
import type { OpenSource } from './open-source.ts'
import { pin, unpin } from './open-source.ts'
import { isStillThere, NO_WAL_PAGES, readWalPages } from './wal-file.ts'
import type { WalIndexHeader } from './wal-index.ts'
import { readWalIndexHeader } from './wal-index.ts'

/** A state that stands still, and where its pages lie. */
export interface StillState {
  readonly pageSize: number
  /** Null if it is not known how to read the pages directly: SQLite itself has to. */
  readonly pages: PageSource | null
  /** The log's index at the pinned moment; null without a log. */
  readonly index: WalIndexHeader | null
}

/** A state that a connection holds still by a read transaction. */
export interface PinnedState extends StillState {
  readonly facts: DatabaseFacts
  readonly atMs: number
}

/** A pin takes a tenth of a millisecond: only an endless stream of commits makes this many fall into one. */
const PIN_ATTEMPTS = 200

/**
 * Begins a read transaction and finds out exactly which state it holds.
 *
 * In rollback mode that is the file, which nobody may write to while we hold the shared lock. In WAL mode it is the
 * file and the log up to the last frame of the index, provided that the index was the same before and after.
 */
export function pinState(opened: OpenSource, nowMs: () => number): PinnedState {
  const { connection } = opened
  let atMs = nowMs()
  pin(connection)
  const facts = readFacts(connection)
  const { pageSize, pageCount } = facts
  const base = { file: opened.file, wal: null, walPages: NO_WAL_PAGES, pageSize, pageCount }
  if (facts.journalMode !== 'wal') return { facts, atMs, pageSize, pages: base, index: null }
  const files = openLog(opened)
  if (files === null) return { facts, atMs, pageSize, pages: null, index: null }
  for (let attempt = 1; attempt <= PIN_ATTEMPTS; attempt += 1) {
    unpin(connection)
    const before = readWalIndexHeader(files.shm)
    atMs = nowMs()
    pin(connection)
    const index = readWalIndexHeader(files.shm)
    if (before === null || index === null || !before.bytes.equals(index.bytes)) continue
    return stateOf(opened, files.wal, index, atMs)
  }
  return { facts: readFacts(connection), atMs, pageSize, pages: null, index: null }
}

/**
 * Whether the log was started over since the state was pinned. That can only happen if the state needs no log,
 * because all of it had been copied into the file, which stands still as long as we are pinned.
 */
export function wasReset({ pages, index }: StillState): boolean {
  return pages?.wal != null && index !== null && pages.walPages.count > 0 && !isStillThere(pages.wal, index)
}

/** The same state read from the file alone; without pages if the log was reset although it was needed. */
export function withoutLog<State extends StillState>(state: State): State {
  const { pages, index } = state
  if (pages === null || index === null || !index.isBackfilled) return { ...state, pages: null }
  return { ...state, pages: { ...pages, walPages: NO_WAL_PAGES } }
}

function stateOf(opened: OpenSource, wal: number, index: WalIndexHeader, atMs: number): PinnedState {
  const facts = readFacts(opened.connection)
  const { pageSize, pageCount } = facts
  const pages = { file: opened.file, wal, walPages: NO_WAL_PAGES, pageSize, pageCount }
  const state = { facts, atMs, pageSize, pages, index }
  // an index without frames knows nothing of the database either
  if (index.lastFrame === 0) return state
  if (index.pageSize !== pageSize || index.pageCount !== pageCount) return { ...state, pages: null }
  const walPages = readWalPages(wal, index)
  if (walPages === 'unusual') return { ...state, pages: null }
  if (walPages === 'reset') return withoutLog(state)
  return { ...state, pages: { ...pages, walPages } }
}

/** Null if a file is missing or may not be read, which SQLite copes with and we do not. */
function openLog({
  descriptors,
  realPath,
}: OpenSource): { readonly wal: number; readonly shm: number } | null {
  try {
    return { wal: descriptors.open(`${realPath}-wal`), shm: descriptors.open(`${realPath}-shm`) }
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM'].includes(codeOf(error))) return null
    throw error
  }
}
