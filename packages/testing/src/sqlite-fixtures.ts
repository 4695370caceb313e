import { createHash } from 'node:crypto'
import Database from 'better-sqlite3'

/** What a sample database is like. Everything that is not given is as SQLite would have it. */
export interface SampleOptions {
  /** Rows of the table `records`. */
  readonly records?: number
  /** Bytes of the content of one record. */
  readonly recordBytes?: number
  readonly journalMode?: 'wal' | 'delete' | 'truncate' | 'persist'
  readonly pageSize?: number
  readonly encoding?: 'UTF-8' | 'UTF-16le' | 'UTF-16be'
  readonly autoVacuum?: 'none' | 'full' | 'incremental'
  readonly userVersion?: number
}

const ACCOUNTS = 100
const START_BALANCE = 1000

/**
 * Makes a database of accounts whose balances always add up to the same sum, of the transfers between them, whose
 * number is also kept in a counter, and of records as ballast. The writer process keeps both invariants.
 */
export function createSampleDatabase(path: string, options: SampleOptions = {}): void {
  const { records = 1000, recordBytes = 200, journalMode = 'wal', userVersion = 7 } = options
  const database = new Database(path)
  try {
    database.pragma('synchronous = OFF')
    if (options.pageSize !== undefined) database.pragma(`page_size = ${options.pageSize}`)
    if (options.encoding !== undefined) database.pragma(`encoding = '${options.encoding}'`)
    if (options.autoVacuum !== undefined) database.pragma(`auto_vacuum = ${options.autoVacuum}`)
    database.pragma(`journal_mode = ${journalMode}`)
    database.pragma(`user_version = ${userVersion}`)
    database.pragma('application_id = 1212960836')
    database.transaction(() => {
      database.exec(SCHEMA)
      const account = database.prepare('INSERT INTO accounts (owner, balance) VALUES (?, ?)')
      for (let id = 1; id <= ACCOUNTS; id += 1) account.run(`owner ${id}`, START_BALANCE)
      database.prepare('INSERT INTO ledger (id, transfers) VALUES (1, 0)').run()
      addRecords(database, records, recordBytes)
    })()
  } finally {
    database.close()
  }
}

/** The same, with so many records that the file takes about so many megabytes. */
export function createLargeDatabase(path: string, megabytes: number, options: SampleOptions = {}): void {
  const recordBytes = 1000
  // each record takes some bytes more for its key, its index entry and the page around it
  const records = Math.ceil((megabytes * 1e6) / (recordBytes + 90))
  createSampleDatabase(path, { ...options, records, recordBytes })
}

/** How many rows each table of a database has, SQLite's own tables left out. */
export function rowCountsOf(path: string): Readonly<Record<string, number>> {
  const database = openForReading(path)
  try {
    const tables = database
      .prepare(
        `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'`,
      )
      .pluck()
      .all()
      .map(String)
    return Object.fromEntries(
      tables.map((table) => [
        table,
        numberIn(database, `SELECT count(*) FROM "${table.replaceAll('"', '""')}"`),
      ]),
    )
  } finally {
    database.close()
  }
}

/** What is wrong with the invariants of a sample database, in words; empty if they hold. */
export function sampleProblems(path: string): readonly string[] {
  const database = openForReading(path)
  try {
    const sum = numberIn(database, 'SELECT sum(balance) FROM accounts')
    const counted = numberIn(database, 'SELECT count(*) FROM transfers')
    const recorded = numberIn(database, 'SELECT transfers FROM ledger')
    const moved = numberIn(database, 'SELECT coalesce(sum(amount), 0) FROM transfers')
    const received = numberIn(database, 'SELECT sum(received) FROM accounts')
    const integrity = String(database.pragma('integrity_check', { simple: true }))
    return [
      ...(sum === ACCOUNTS * START_BALANCE ? [] : [`the balances add up to ${sum}`]),
      ...(counted === recorded ? [] : [`${counted} transfers are there, the ledger says ${recorded}`]),
      ...(moved === received ? [] : [`${moved} was sent, ${received} was received`]),
      ...(integrity === 'ok' ? [] : [`integrity_check: ${integrity}`]),
    ]
  } finally {
    database.close()
  }
}

/** SHA-256 over definitions, settings and every value of every row: equal digests mean equal databases. */
export function databaseDigest(path: string): string {
  const database = openForReading(path)
  try {
    const hash = createHash('sha256')
    for (const setting of ['user_version', 'application_id', 'encoding', 'page_size', 'auto_vacuum']) {
      hash.update(`${setting}=${String(database.pragma(setting, { simple: true }))}\n`)
    }
    const objects = database
      .prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name')
      .raw()
      .all()
    hash.update(JSON.stringify(objects))
    const tables = database
      .prepare(
        `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name`,
      )
      .pluck()
      .all()
    for (const table of tables) hashRows(database, String(table), hash)
    return hash.digest('hex')
  } finally {
    database.close()
  }
}

/** Not read-only: such a connection can neither roll back what a crash left nor remove the -wal and -shm it made. */
function openForReading(path: string): Database.Database {
  return new Database(path, { fileMustExist: true })
}

const SCHEMA = `
  CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL,
    received INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE transfers (id INTEGER PRIMARY KEY AUTOINCREMENT, sender INTEGER NOT NULL REFERENCES accounts,
    receiver INTEGER NOT NULL REFERENCES accounts, amount INTEGER NOT NULL, note BLOB);
  CREATE INDEX transfers_by_sender ON transfers (sender);
  CREATE TABLE ledger (id INTEGER PRIMARY KEY CHECK (id = 1), transfers INTEGER NOT NULL);
  CREATE TABLE records (id INTEGER PRIMARY KEY, name TEXT NOT NULL, content BLOB NOT NULL);
  CREATE INDEX records_by_name ON records (name);
  CREATE VIEW rich AS SELECT owner FROM accounts WHERE balance > ${START_BALANCE};
`

function addRecords(database: Database.Database, records: number, recordBytes: number): void {
  const insert = database.prepare('INSERT INTO records (name, content) VALUES (?, ?)')
  // cheap to make, hard to compress, and the same in every run
  const content = Buffer.alloc(recordBytes)
  let state = 1
  for (let id = 1; id <= records; id += 1) {
    for (let at = 0; at + 4 <= recordBytes; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      content.writeUInt32LE(state, at)
    }
    insert.run(`record ${id}`, content)
  }
}

function numberIn(database: Database.Database, sql: string): number {
  return Number(database.prepare(sql).pluck().get())
}

function hashRows(database: Database.Database, table: string, hash: ReturnType<typeof createHash>): void {
  hash.update(`table ${table}\n`)
  const rows = database
    .prepare(`SELECT * FROM "${table.replaceAll('"', '""')}"`)
    .raw()
    .safeIntegers()
  for (const row of rows.iterate()) {
    for (const value of Array.isArray(row) ? row : []) hashValue(value, hash)
  }
}

/** With its type and length, so that neither a text and the same bytes nor a shifted border look equal. */
function hashValue(value: unknown, hash: ReturnType<typeof createHash>): void {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value))
  hash.update(`${Buffer.isBuffer(value) ? 'blob' : typeof value} ${bytes.length}:`).update(bytes)
}
