import { statSync } from 'node:fs'
import type { Database as Connection } from 'better-sqlite3'
import Database from 'better-sqlite3'
import type { CheckInput, CheckOutput, DatabaseFacts } from '../protocol.ts'
import { readHeader } from './database-header.ts'
import { Descriptors } from './descriptors.ts'
import { textOf } from './facts.ts'
import { explain, HelperFailure, isSqliteError } from './failure.ts'
import type { JobLink } from './link.ts'
import { harden } from './open-source.ts'
import { countRows, isUnknownToThisProcess, quoteName, tablesOf } from './row-counts.ts'
import { sqlitePath } from './sqlite-path.ts'

/** As many findings as an operator reads; SQLite's own default is 100. */
const FINDINGS = 5

/** Checks a finished copy: one file in rollback mode, so that nothing is created beside it. */
export function check({ file, depth }: CheckInput, link: JobLink): CheckOutput {
  link.opened()
  try {
    const shape = findWrongShape(file)
    if (shape !== null) return invalid(shape)
    return withCopy(file, (connection) => inspectContent(connection, depth))
  } catch (error) {
    if (isSqliteError(error, 'SQLITE_CORRUPT')) return invalid('the pages of the copy do not form a database')
    if (isSqliteError(error, 'SQLITE_NOTADB')) return invalid('the copy is not an SQLite database')
    throw explain(error, file)
  }
}

/** Runs `read` on a connection to a finished copy. */
export function withCopy<Result>(file: string, read: (connection: Connection) => Result): Result {
  const descriptors = new Descriptors()
  try {
    const path = sqlitePath(file, descriptors.open(file))
    const connection = new Database(path, { readonly: true, fileMustExist: true })
    try {
      harden(connection)
      return read(connection)
    } finally {
      connection.close()
    }
  } finally {
    descriptors.closeAll()
  }
}

/** Rejects a copy whose header, page count and size are not those of the state that was copied. */
export function requireSoundCopy(file: string, facts: DatabaseFacts): void {
  const { pageSize, pageCount } = facts
  const wrong = pageCount === 0 ? 'it has no pages' : findWrongShape(file, { pageSize, pageCount })
  if (wrong === null) return
  throw new HelperFailure('DATABASE_CORRUPT', `the copy is not whole: ${wrong}`)
}

/** Rejects a copy in which SQLite finds damage. */
export function requireSoundPages(file: string): void {
  const findings = withCopy(file, (connection) => runCheck(connection, 'quick_check'))
  if (findings.length === 0) return
  throw new HelperFailure('DATABASE_CORRUPT', `the database is damaged: ${findings.join('; ')}`)
}

/** In words what is wrong with header and size, or null. */
function findWrongShape(
  file: string,
  expected?: Pick<DatabaseFacts, 'pageSize' | 'pageCount'>,
): string | null {
  const descriptors = new Descriptors()
  try {
    const header = readHeader(descriptors.open(file))
    const { size } = statSync(file)
    if (header === null) return 'it does not begin with the header of an SQLite database'
    if (header.isWal) return 'its header says that it needs a write-ahead log'
    if (header.pageCount * header.pageSize !== size) {
      return `its header promises ${header.pageCount} pages of ${header.pageSize} bytes, the file has ${size} bytes`
    }
    if (expected !== undefined && expected.pageCount * expected.pageSize !== size) {
      return `${expected.pageCount} pages of ${expected.pageSize} bytes were expected, the file has ${size} bytes`
    }
    return null
  } finally {
    descriptors.closeAll()
  }
}

function inspectContent(connection: Connection, depth: CheckInput['depth']): CheckOutput {
  const pragma = depth === 'structure' ? 'quick_check' : 'integrity_check'
  const skipped: string[] = []
  const findings = runCheck(connection, pragma, skipped)
  if (findings.length > 0) return invalid(`${pragma}: ${findings.join('; ')}`)
  const notes = skipped.length === 0 ? [] : [describeSkipped(skipped)]
  if (depth !== 'full')
    return { valid: true, message: [`${pragma} ok`, ...notes].join('; '), rowCounts: null }
  const { rowCounts, warnings } = countRows(connection)
  const message = [`${pragma} ok`, ...notes, ...foreignKeyNote(connection), ...warnings].join('; ')
  return { valid: true, message, rowCounts }
}

/**
 * What the pragma finds, in its words. Where it cannot run as a whole, because the schema needs functions or
 * collations that only the application has, it runs table by table; `skipped` receives those that cannot be checked.
 */
function runCheck(connection: Connection, pragma: string, skipped: string[] = []): readonly string[] {
  try {
    return findingsOf(connection, `PRAGMA main.${pragma}(${FINDINGS})`)
  } catch (error) {
    if (!isUnknownToThisProcess(error)) throw error
  }
  return tablesOf(connection).flatMap(({ name }) => {
    try {
      return findingsOf(connection, `PRAGMA main.${pragma}(${quoteName(name)})`)
    } catch (error) {
      if (!isUnknownToThisProcess(error)) throw error
      skipped.push(name)
      return walkTable(connection, name)
    }
  })
}

function findingsOf(connection: Connection, pragma: string): readonly string[] {
  const rows = connection.prepare(pragma).pluck().all().map(textOf)
  return rows.length === 1 && rows[0] === 'ok' ? [] : rows.slice(0, FINDINGS)
}

/** Reads every page of a table that no pragma can check: damage to its structure throws. */
function walkTable(connection: Connection, table: string): readonly string[] {
  try {
    connection.prepare(`SELECT count(*) FROM main.${quoteName(table)} NOT INDEXED`).get()
  } catch (error) {
    if (!isUnknownToThisProcess(error)) throw error
  }
  return []
}

function describeSkipped(tables: readonly string[]): string {
  return `${tables.length} tables were only read through, since their schema needs functions or collations of the application (${tables.slice(0, FINDINGS).join(', ')})`
}

/** SQLite does not enforce foreign keys unless asked, so a violation is the source's own content: told, not refused. */
function foreignKeyNote(connection: Connection): readonly string[] {
  try {
    const first = connection.prepare('SELECT "table" FROM pragma_foreign_key_check LIMIT 1').pluck().get()
    return first === undefined
      ? []
      : [`foreign keys of ${textOf(first)} are violated, as they were in the source`]
  } catch (error) {
    if (isSqliteError(error, 'SQLITE_ERROR')) return ['foreign keys could not be checked']
    throw error
  }
}

function invalid(message: string): CheckOutput {
  return { valid: false, message, rowCounts: null }
}
