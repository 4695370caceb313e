import { fstatSync } from 'node:fs'
import type { PageSource } from './copy-pages.ts'
import { readPage1 } from './copy-pages.ts'
import { copyPinned } from './copy-pinned.ts'
import { parseHeader, readHeader } from './database-header.ts'
import { HelperFailure } from './failure.ts'
import type { OpenSource } from './open-source.ts'
import { unpin } from './open-source.ts'
import type { StillState } from './pin-state.ts'
import { pinState } from './pin-state.ts'
import { NO_WAL_PAGES } from './wal-file.ts'

/** A live database while this process holds its lock for writing: what it is cannot change. */
export interface LockedState {
  /** Null for a file without a page. */
  readonly page1: Buffer | null
  readonly schemaCookie: number | null
  /** Writes the state to a new file. */
  copyTo(file: string): Promise<void>
}

/** Reads the state of a database that is locked through another connection of this process. `isWal`: as opened. */
export function lockedState(opened: OpenSource, isWal: boolean): LockedState {
  const state = isWal ? pinState(opened, () => 0) : fileState(opened.file)
  const page1 = state.pages === null || state.pages.pageCount === 0 ? null : readPage1(state.pages)
  unpin(opened.connection)
  return {
    page1,
    schemaCookie: page1 === null ? null : (parseHeader(page1)?.schemaCookie ?? null),
    async copyTo(file) {
      // pinned again for as long as it takes: nothing came between, since nobody else may write
      const still = isWal ? pinState(opened, () => 0) : state
      await copyPinned(opened.connection, still, file, () => {})
      unpin(opened.connection)
    },
  }
}

/** In rollback mode the lock shuts out our own reading connection too; but the file holds everything. */
function fileState(file: number): StillState {
  const { size } = fstatSync(file)
  if (size === 0) return stateOf({ file, wal: null, walPages: NO_WAL_PAGES, pageSize: 512, pageCount: 0 })
  const header = readHeader(file)
  if (header === null || header.isWal) {
    throw new HelperFailure(
      'DATABASE_LOCKED',
      'the destination changed its journal mode while it was being replaced',
      'try again; nothing was changed',
    )
  }
  const { pageSize } = header
  return stateOf({
    file,
    wal: null,
    walPages: NO_WAL_PAGES,
    pageSize,
    pageCount: Math.floor(size / pageSize),
  })
}

function stateOf(pages: PageSource): StillState {
  return { pageSize: pages.pageSize, pages, index: null }
}
