import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { clientConfigOf, databaseOf } from './client.ts'

const SCRIPT = new URL('./sample.sql', import.meta.url)
const ENCODED = new URL('./encoded.sql', import.meta.url)
const ACCOUNTS = 100
const START_BALANCE = 1000
/** Of one record, its name and what the server needs beside it included. */
const RECORD_BYTES = 1000
/** Hexadecimal digits of one SHA-512. */
const HASH_CHARACTERS = 128

/** What a sample database is like. */
export interface PostgresSampleOptions {
  /** Makes it different from others. */
  readonly mark?: number
  /** About so many megabytes of records, which compress to the half of it. */
  readonly megabytes?: number
}

/** Fills an empty database with accounts, transfers, and a little of everything. The writers keep its invariants. */
export async function seedPostgresSample(url: string, options: PostgresSampleOptions = {}): Promise<void> {
  const { mark = 1, megabytes = 0 } = options
  const name = pg.escapeIdentifier(databaseOf(url))
  const records = 200 + mark + Math.ceil((megabytes * 1e6) / RECORD_BYTES)
  await withClient(url, async (client) => {
    await client.query(await readFile(SCRIPT, 'utf8'))
    await client.query(RECORDS, [records, mark])
    await client.query('REFRESH MATERIALIZED VIEW shop.owners')
    await client.query(`COMMENT ON DATABASE ${name} IS 'sample ${mark}'`)
    await client.query(`ALTER DATABASE ${name} SET search_path = "$user", shop`)
    await client.query(`ALTER DATABASE ${name} SET work_mem = '${4 + mark}MB'`)
  })
}

/** Fills an empty database in LATIN1, another encoding of single bytes, or SQL_ASCII with all characters that it has. */
export async function seedEncodedText(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(await readFile(ENCODED, 'utf8'))
  })
}

/** What is wrong with the invariants of a sample database, in words; empty if they hold. */
export async function postgresSampleProblems(url: string): Promise<readonly string[]> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<Record<string, string>>(INVARIANTS)
    const { sum, counted, recorded, moved, received } = rows[0] ?? {}
    return [
      ...(sum === String(ACCOUNTS * START_BALANCE) ? [] : [`the balances add up to ${sum}`]),
      ...(counted === recorded ? [] : [`${counted} transfers are there, the ledger says ${recorded}`]),
      ...(moved === received ? [] : [`${moved} was sent, ${received} was received`]),
    ]
  })
}

const RECORDS = `
  INSERT INTO shop.records
  SELECT n, 'record ' || n, CASE WHEN n % 2 = 0 THEN 'small'::shop.kind ELSE 'it''s "large"' END, c.content
  FROM generate_series(1, $1::int) n, LATERAL (
    SELECT string_agg(encode(sha512(format('%s %s %s', $2::int, n, i)::bytea), 'hex'), '') AS content
    FROM generate_series(1, ${Math.floor((RECORD_BYTES - 60) / HASH_CHARACTERS)}) i
  ) c`

const INVARIANTS = `
  SELECT (SELECT sum(balance) FROM shop.accounts)::text AS sum,
    (SELECT count(*) FROM shop.transfers)::text AS counted, (SELECT transfers FROM shop.ledger)::text AS recorded,
    (SELECT coalesce(sum(amount), 0) FROM shop.transfers)::text AS moved,
    (SELECT sum(received) FROM shop.accounts)::text AS received`

async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client(clientConfigOf(url))
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
