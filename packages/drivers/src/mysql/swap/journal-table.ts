import { quoteQualified } from '../quote.ts'
import type { Session } from '../session.ts'

/** A table of ours in every schema of ours, which says whose the schema is and what is being done with it. */
export const JOURNAL = 'holdfast~journal'

/** Far below the smallest limit on the size of a statement, hexadecimal digits included. */
const PART_LENGTH = 200_000

/** Makes the table in a schema that has none. */
export async function createJournalTable(session: Session, schema: string): Promise<void> {
  await session.query(
    `CREATE TABLE IF NOT EXISTS ${tableOf(schema)} (
       entry VARCHAR(40) NOT NULL, part INT NOT NULL, content LONGTEXT NOT NULL, PRIMARY KEY (entry, part)
     ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  )
}

/** True if the schema has one. */
export async function hasJournalTable(session: Session, schema: string): Promise<boolean> {
  const rows = await session.query(
    'SELECT 1 AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
    [schema, JOURNAL],
  )
  return rows.length > 0
}

/** Writes an entry of any length in place of an earlier one of its name. */
export async function writeEntry(
  session: Session,
  schema: string,
  entry: string,
  content: unknown,
): Promise<void> {
  const text = JSON.stringify(content)
  await session.query('START TRANSACTION')
  await session.query(`DELETE FROM ${tableOf(schema)} WHERE entry = ?`, [entry])
  for (let part = 0; part * PART_LENGTH < text.length; part += 1) {
    const piece = text.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH)
    await session.query(`INSERT INTO ${tableOf(schema)} VALUES (?, ?, ?)`, [entry, part, piece])
  }
  await session.query('COMMIT')
}

/** What {@link writeEntry} wrote; undefined if there is no such entry. */
export async function readEntry(session: Session, schema: string, entry: string): Promise<unknown> {
  const rows = await session.query<{ readonly content: string }>(
    `SELECT content FROM ${tableOf(schema)} WHERE entry = ? ORDER BY part`,
    [entry],
  )
  return rows.length === 0 ? undefined : JSON.parse(rows.map(({ content }) => content).join(''))
}

/**
 * Writes one line so that it is on disk before this resolves, and all entries with it, however lazily the server
 * flushes its log: changes of definitions do not wait for that.
 */
export async function writeLine(session: Session, schema: string, line: string): Promise<void> {
  await session.query(`ALTER TABLE ${tableOf(schema)} COMMENT = '${line.replaceAll(/[^\w ]/g, '')}'`)
}

/** What {@link writeLine} wrote; empty if nothing was written, or if there is no such table. */
export async function readLine(session: Session, schema: string): Promise<string> {
  const [row] = await session.query<{ readonly line: string }>(
    'SELECT TABLE_COMMENT AS line FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
    [schema, JOURNAL],
  )
  return row?.line ?? ''
}

function tableOf(schema: string): string {
  return quoteQualified(schema, JOURNAL)
}
