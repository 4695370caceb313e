import type { Page, PageRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { Database } from './engine.ts'
import type { Session } from './session.ts'

/** How one kind of row is listed. `name` keeps the cursors of different lists apart. */
export interface Listing<Row, Item> {
  readonly name: string
  /** At most `limit` rows with a lower number than `before`, newest first. */
  rows(db: Database, before: number, limit: number): Promise<readonly Row[]>
  count(db: Database): Promise<{ readonly count: number }>
  toItem(row: Row): Item
}

const MOST_ITEMS = 200
// 15 digits are below 2^53, and more rows than anybody will have
const CURSOR = /^([a-z]+):(\d{1,15})$/

/** Reads one page, and how many there are in all. Rejects with INVALID_REQUEST for a limit or cursor out of range. */
export async function readPage<Row extends { readonly seq: number }, Item>(
  session: Session,
  page: PageRequest,
  listing: Listing<Row, Item>,
): Promise<Page<Item>> {
  if (!Number.isInteger(page.limit) || page.limit < 1 || page.limit > MOST_ITEMS) {
    throw new AppError('INVALID_REQUEST', `limit is not a whole number from 1 to ${MOST_ITEMS}`)
  }
  const before = page.cursor === null ? Number.MAX_SAFE_INTEGER : decodeCursor(listing.name, page.cursor)
  return session.run(async (db) => {
    const rows = await listing.rows(db, before, page.limit + 1)
    const shown = rows.slice(0, page.limit)
    const last = shown.at(-1)
    const more = rows.length > shown.length && last !== undefined
    const { count } = await listing.count(db)
    return {
      items: shown.map((row) => listing.toItem(row)),
      nextCursor: more ? encodeCursor(listing.name, last.seq) : null,
      total: count,
    }
  })
}

function encodeCursor(name: string, seq: number): string {
  return Buffer.from(`${name}:${seq}`).toString('base64url')
}

function decodeCursor(name: string, cursor: string): number {
  const [, listName, seq] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? []
  // decoding forgives stray characters; only what we handed out is a cursor
  if (listName === name && seq !== undefined && encodeCursor(name, Number(seq)) === cursor) return Number(seq)
  throw new AppError('INVALID_REQUEST', 'cursor is not one that this list returned', {
    hint: 'pass nextCursor of the page before, unchanged, or start without a cursor',
  })
}
