import type { Database as Connection } from 'better-sqlite3'
import Database from 'better-sqlite3'
import type { RowCounts } from '../protocol.ts'
import { numberOf, textOf } from './facts.ts'

/** Rows of every table, and what could not be counted, in words. */
export interface Counted {
  readonly rowCounts: RowCounts
  readonly warnings: readonly string[]
}

/**
 * Counts every table and virtual table that the connection sees. Left out: SQLite's own tables, and the tables in
 * which a virtual table keeps its content (they would count its rows twice).
 */
export function countRows(connection: Connection): Counted {
  const rowCounts: [string, number][] = []
  const uncounted: string[] = []
  for (const table of tablesOf(connection)) {
    try {
      const query = connection.prepare(`SELECT count(*) FROM main.${quoteName(table.name)}`).pluck()
      rowCounts.push([table.name, numberOf(query.get())])
    } catch (error) {
      if (!table.isVirtual || !isUnknownToThisProcess(error)) throw error
      uncounted.push(table.name)
    }
  }
  return { rowCounts, warnings: uncounted.length === 0 ? [] : [describeUncounted(uncounted)] }
}

/** True if SQL failed only because the application brings functions, collations or modules that are not here. */
export function isUnknownToThisProcess(error: unknown): boolean {
  if (!(error instanceof Database.SqliteError) || !error.code.startsWith('SQLITE_ERROR')) return false
  return /no such (module|function|collation sequence)|unknown (function|tokenizer)|unsafe use of/i.test(
    error.message,
  )
}

/** A name as SQL takes it, whatever it holds. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Every table of the database file itself, SQLite's own left out. */
export function tablesOf(
  connection: Connection,
): readonly { readonly name: string; readonly isVirtual: boolean }[] {
  const rows = connection
    .prepare(
      `SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')`,
    )
    .raw()
    .all()
  return rows
    .map((row) => (Array.isArray(row) ? row : []))
    .map(([name, type]) => ({ name: textOf(name), isVirtual: type === 'virtual' }))
    .filter(({ name }) => !name.startsWith('sqlite_'))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}

function describeUncounted(tables: readonly string[]): string {
  const some = tables.slice(0, 5).join(', ')
  const more = tables.length > 5 ? ` and ${tables.length - 5} more` : ''
  return `rows of the virtual tables ${some}${more} were not counted: they need a module of the application; their content is in the copy`
}
