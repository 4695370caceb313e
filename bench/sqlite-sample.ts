import { spawnSync } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'

/** Makes a WAL database with this many small rows: names, numbers, dates, half of it compressible text. */
export function makeRecords(path: string, records: number): void {
  const database = open(path)
  database.exec(
    'CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, balance REAL, created TEXT)',
  )
  const insert = database.prepare('INSERT INTO customers (name, email, balance, created) VALUES (?, ?, ?, ?)')
  database.exec('BEGIN')
  for (let index = 0; index < records; index += 1) {
    const date = new Date(1_600_000_000_000 + index * 61_000).toISOString()
    insert.run(`customer ${index}`, `c${index}@example.org`, (index * 7919) % 100_000, date)
  }
  database.exec('COMMIT')
  database.exec('CREATE INDEX by_email ON customers (email)')
  database.close()
}

/** Makes a WAL database of about this size: a third random bytes, the rest rows of text with an index. */
export function makeSized(path: string, megabytes: number): void {
  const database = open(path)
  database.exec('CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT, at TEXT, body TEXT, payload BLOB)')
  const insert = database.prepare(
    `INSERT INTO events (kind, at, body, payload)
     SELECT 'kind ' || (value % 17), datetime(1600000000 + value, 'unixepoch'),
            'order ' || value || ' of customer ' || (value % 5003) || ' was shipped to ' || hex(randomblob(40)) ||
            ' and will arrive on ' || date(1600000000 + value * 60, 'unixepoch') || printf('%0200d', value % 7),
            randomblob(200)
     FROM (WITH RECURSIVE n(value) AS (SELECT ? UNION ALL SELECT value + 1 FROM n WHERE value < ?) SELECT value FROM n)`,
  )
  const perMegabyte = 1480
  for (let done = 0; done < megabytes; done += 50) {
    const upTo = Math.min(done + 50, megabytes)
    insert.run(done * perMegabyte + 1, upTo * perMegabyte)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }
  database.exec('CREATE INDEX by_kind ON events (kind, at)')
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
}

/** Copies a database file as `cp` does and makes it durable: the fastest that any backup could be. */
export function fileCopy(from: string, to: string): void {
  run('cp', ['--reflink=never', '--', from, to])
  run('sync', ['--', to])
}

/** What SQLite itself offers, in a process of its own: compacted, uncompressed, unverified. */
export function vacuumInto(from: string, to: string): void {
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(${JSON.stringify(from)}, { readOnly: true })
    database.prepare('VACUUM INTO ?').run(${JSON.stringify(to)})`
  run(process.execPath, ['--no-warnings', '-e', script])
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
  return database
}
