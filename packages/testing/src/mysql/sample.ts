import { readFile } from 'node:fs/promises'
import { mysqlName, mysqlSchemaOf, withMysqlClient } from './client.ts'

const SCRIPT = new URL('./sample.sql', import.meta.url)
const ACCOUNTS = 100
const START_BALANCE = 1000
/** Of one record, its name and what the server needs beside it included. */
const RECORD_BYTES = 1000
/** Hexadecimal digits of one SHA-512. */
const HASH_CHARACTERS = 128

/** What a sample schema is like. */
export interface MysqlSampleOptions {
  /** Makes it different from others. */
  readonly mark?: number
  /** About so many megabytes of records, which compress to the half of it. */
  readonly megabytes?: number
}

/** Fills an empty schema of MariaDB with accounts, transfers, and a little of everything. Writers keep its invariants. */
export async function seedMysqlSample(url: string, options: MysqlSampleOptions = {}): Promise<void> {
  const { mark = 1, megabytes = 0 } = options
  const records = 200 + mark + Math.ceil((megabytes * 1e6) / RECORD_BYTES)
  const name = mysqlName(mysqlSchemaOf(url))
  await withMysqlClient(url, async (client) => {
    await client.query(
      `ALTER DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'sample ${mark}'`,
    )
    await client.query(await readFile(SCRIPT, 'utf8'))
    await client.query('START TRANSACTION')
    await client.query(`INSERT INTO records ${recordsFrom(records, mark)}`)
    await client.query('COMMIT')
  })
}

function recordsFrom(records: number, mark: number): string {
  const parts = Array.from(
    { length: Math.floor((RECORD_BYTES - 60) / HASH_CHARACTERS) },
    (_, part) => `SHA2(CONCAT_WS(' ', ${mark}, seq, ${part}), 512)`,
  )
  const kind = `IF(seq % 2 = 0, 'small', 'it''s "large"')`
  return `SELECT seq, CONCAT('record ', seq), ${kind}, CONCAT(${parts.join(', ')}) FROM seq_1_to_${records}`
}

/** What is wrong with the invariants of a sample schema, in words; empty if they hold. */
export async function mysqlSampleProblems(url: string): Promise<readonly string[]> {
  return await withMysqlClient(url, async (client) => {
    const [{ sum, counted, recorded, moved, received } = {}] = await client.query(INVARIANTS)
    return [
      ...(sum === String(ACCOUNTS * START_BALANCE) ? [] : [`the balances add up to ${sum}`]),
      ...(counted === recorded ? [] : [`${counted} transfers are there, the ledger says ${recorded}`]),
      ...(moved === received ? [] : [`${moved} was sent, ${received} was received`]),
    ]
  })
}

const INVARIANTS = `
  SELECT (SELECT CAST(SUM(balance) AS CHAR) FROM accounts) AS sum,
    (SELECT COUNT(*) FROM transfers) AS counted, (SELECT transfers FROM ledger) AS recorded,
    (SELECT CAST(COALESCE(SUM(amount), 0) AS CHAR) FROM transfers) AS moved,
    (SELECT CAST(SUM(received) AS CHAR) FROM accounts) AS received`
