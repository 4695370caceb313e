import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const ORDERS_AT_FIRST = 10_000

/** The sample database, with a process of its own writing to it. */
export interface Shop {
  readonly file: string
  orders(): number
  /** Ends the writer; resolves with what it did. A second call gives the same. */
  stop(): Promise<{ readonly commits: number }>
}

/** Makes the sample database if there is none yet, and starts its writer. */
export async function startShop(directory: string): Promise<Shop> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'shop.db')
  fill(file)
  const writer = fork(new URL('./shop-writer.ts', import.meta.url), [], {
    // the terminal's Ctrl-C goes to everybody: the writer ends when we say so, or when we are gone
    detached: true,
  })
  writer.send({ file })
  await once(writer, 'message')
  let ending: Promise<{ commits: number }> | null = null
  const end = async () => {
    const report = once(writer, 'message')
    writer.send('stop')
    const [{ commits }] = await report
    writer.disconnect()
    return { commits: Number(commits) }
  }
  return {
    file,
    orders: () => count(file),
    stop() {
      ending ??= end()
      return ending
    },
  }
}

/** Every record of the copy must be in the live database, unchanged; returns how many, and how many are newer. */
export function compareWithLive(
  copy: string,
  live: string,
): { readonly records: number; readonly newer: number } {
  const database = new DatabaseSync(copy, { readOnly: true })
  try {
    database.prepare('ATTACH ? AS live').run(live)
    const [difference] = database
      .prepare('SELECT count(*) AS n FROM (SELECT * FROM main.orders EXCEPT SELECT * FROM live.orders)')
      .all()
    if (Number(difference?.n) !== 0)
      throw new Error(`${difference?.n} restored records are not those of the source`)
    return { records: count(copy), newer: count(live) - count(copy) }
  } finally {
    database.close()
  }
}

function fill(file: string): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL')
  database.exec(
    'CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, price REAL NOT NULL)',
  )
  const have = count(file)
  database.exec('BEGIN')
  const insert = database.prepare('INSERT INTO orders (item, price) VALUES (?, ?)')
  for (let index = have; index < ORDERS_AT_FIRST; index += 1) insert.run(`item ${index}`, (index * 7) % 1000)
  database.exec('COMMIT')
  database.close()
}

function count(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM orders').get()?.n)
  } finally {
    database.close()
  }
}
