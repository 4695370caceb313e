import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

/** Makes a WAL database whose rows tell which version it is. */
export function makeDatabase(path: string, version: string, records = 2000): void {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)')
  const insert = database.prepare('INSERT INTO orders (item) VALUES (?)')
  database.exec('BEGIN')
  for (let index = 0; index < records; index += 1) insert.run(`${version} ${index}`)
  database.exec('COMMIT')
  database.close()
}

/** Changes every row, so that a mixture of two versions would show. */
export function rewriteDatabase(path: string, version: string): void {
  const database = new DatabaseSync(path)
  database.prepare("UPDATE orders SET item = ? || ' ' || id").run(version)
  database.close()
}

/** All rows in order. */
export function rowsOf(path: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database.prepare('SELECT * FROM orders ORDER BY id').all()
  } finally {
    database.close()
  }
}

/** A digest of all rows in order: quick to compare where there are many. */
export function digestOf(path: string): string {
  const hash = createHash('sha256')
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    for (const row of database.prepare('SELECT * FROM orders ORDER BY id').iterate()) {
      hash.update(`${row.id} ${row.item}\n`)
    }
  } finally {
    database.close()
  }
  return hash.digest('hex')
}

/** What SQLite itself says of a file: `ok`, or what is wrong. */
export function integrityOf(path: string): unknown {
  const database = new DatabaseSync(path)
  try {
    return database.prepare('PRAGMA integrity_check').get()?.integrity_check
  } finally {
    database.close()
  }
}
