import type { Database as Connection } from 'better-sqlite3'
import Database from 'better-sqlite3'
import library from 'better-sqlite3/package.json' with { type: 'json' }
import type { DatabaseFacts } from '../protocol.ts'
import { HEADER_BYTES, parseHeader, readFully } from './database-header.ts'
import { HelperFailure } from './failure.ts'

const TOOL_VERSION = `better-sqlite3 ${library.version}`

/** The facts of the state that the connection sees. */
export function readFacts(connection: Connection): DatabaseFacts {
  return {
    sqliteVersion: textOf(connection.prepare('SELECT sqlite_version()').pluck().get()),
    toolVersion: TOOL_VERSION,
    pageSize: numberOf(connection.pragma('page_size', { simple: true })),
    pageCount: numberOf(connection.pragma('page_count', { simple: true })),
    encoding: textOf(connection.pragma('encoding', { simple: true })),
    journalMode: textOf(connection.pragma('journal_mode', { simple: true })),
    userVersion: numberOf(connection.pragma('user_version', { simple: true })),
    applicationId: numberOf(connection.pragma('application_id', { simple: true })),
  }
}

/** The facts of a database that SQLite may not open without changing it, as far as its header knows them. */
export function factsOfHeader(descriptor: number, sizeBytes: number): DatabaseFacts {
  const head = Buffer.alloc(HEADER_BYTES)
  readFully(descriptor, head, 0)
  const header = parseHeader(head)
  if (header === null) throw new HelperFailure('DATABASE_INVALID', 'the file is not an SQLite database')
  const memory = new Database(':memory:')
  const sqliteVersion = textOf(memory.prepare('SELECT sqlite_version()').pluck().get())
  memory.close()
  return {
    sqliteVersion,
    toolVersion: TOOL_VERSION,
    pageSize: header.pageSize,
    pageCount: Math.ceil(sizeBytes / header.pageSize),
    encoding: header.encoding,
    journalMode: header.isWal ? 'wal' : 'delete',
    userVersion: head.readInt32BE(60),
    applicationId: head.readInt32BE(68),
  }
}

/** An untyped value of SQLite as the number it must be. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value
  throw new TypeError('SQLite answered with something else than a number')
}

/** An untyped value of SQLite as the text it must be. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError('SQLite answered with something else than text')
}
