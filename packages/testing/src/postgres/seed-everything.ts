import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'
import { clientConfigOf, databaseOf } from './client.ts'

const FIXTURE = new URL('./fixture/', import.meta.url)
const TABLESPACE = '"hf ""space"""'

/** What a database of everything may hold beside the usual. */
export interface EverythingOptions {
  /** A directory that the server may write into, for a tablespace with some of the tables in it. */
  readonly tablespaceDirectory?: string
  /** A subscription that never connects; its database cannot be dropped with WITH (FORCE). */
  readonly subscription?: boolean
}

/**
 * Fills an empty UTF-8 database, as superuser, with one of everything that PostgreSQL knows and dumps may lose. The
 * database itself gets an owner, privileges, settings and a comment; the server gets roles (and a tablespace), unless
 * it has them. Needs PostgreSQL 14 or later with its additional extensions.
 */
export async function seedEverything(url: string, options: EverythingOptions = {}): Promise<void> {
  await seedServer(url, options)
  await withClient(url, async (client) => {
    const version = await versionOf(client)
    for (const file of (await readdir(FIXTURE)).toSorted()) {
      if (file.startsWith('00-') || (file.includes('since-15') && version < 150_000)) continue
      if (file.includes('tablespace') && options.tablespaceDirectory === undefined) continue
      await client.query(await readFile(new URL(file, FIXTURE), 'utf8'))
    }
    if (options.subscription === true) await client.query(SUBSCRIPTION)
  })
  await seedDatabaseProperties(url)
}

/** What {@link seedEverything} needs of a server, and a server on which its database is restored needs too. */
export async function seedServer(
  url: string,
  { tablespaceDirectory }: EverythingOptions = {},
): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(await readFile(new URL('00-roles.sql', FIXTURE), 'utf8'))
    if (tablespaceDirectory === undefined) return
    const { rowCount } = await client.query(`SELECT FROM pg_tablespace WHERE spcname = 'hf "space"'`)
    if (rowCount !== 0) return
    const where = pg.escapeLiteral(tablespaceDirectory)
    await client.query(
      `CREATE TABLESPACE ${TABLESPACE} OWNER "hf owner" LOCATION ${where} WITH (seq_page_cost = 2)`,
    )
    await client.query(`GRANT CREATE ON TABLESPACE ${TABLESPACE} TO hf_writer, "-dash"`)
    await client.query(`COMMENT ON TABLESPACE ${TABLESPACE} IS 'it''s a tablespace'`)
  })
}

/**
 * Gives a database what is true of it and not in it: owner, privileges, comment, settings for everybody and for roles.
 * The settings are such that what is read without pinning them comes out otherwise.
 */
export async function seedDatabaseProperties(url: string): Promise<void> {
  const name = pg.escapeIdentifier(databaseOf(url))
  await withClient(url, async (client) => {
    for (const statement of PROPERTIES) await client.query(statement.replaceAll('$DATABASE', () => name))
  })
}

const PROPERTIES = [
  'ALTER DATABASE $DATABASE OWNER TO "hf owner"',
  'REVOKE CONNECT, TEMPORARY ON DATABASE $DATABASE FROM PUBLIC',
  'GRANT CONNECT ON DATABASE $DATABASE TO hf_reader WITH GRANT OPTION',
  'GRANT CREATE, TEMPORARY ON DATABASE $DATABASE TO "it\'s ""quoted"" $(id)"',
  'ALTER DATABASE $DATABASE CONNECTION LIMIT 77',
  `COMMENT ON DATABASE $DATABASE IS E'it\\'s a "database"\\nof two lines'`,
  `ALTER DATABASE $DATABASE SET search_path = "$user", app, "it's ""quoted"" schema; $(id) \`id\`"`,
  `ALTER DATABASE $DATABASE SET "hf.custom" = E'it\\'s a "value"\\nof two lines \\\\'`,
  `ALTER DATABASE $DATABASE SET work_mem = '6MB'`,
  `ALTER DATABASE $DATABASE SET "DateStyle" = 'German, DMY'`,
  `ALTER DATABASE $DATABASE SET "IntervalStyle" = 'sql_standard'`,
  `ALTER DATABASE $DATABASE SET "TimeZone" = 'Asia/Kolkata'`,
  `ALTER DATABASE $DATABASE SET bytea_output = 'escape'`,
  'ALTER DATABASE $DATABASE SET extra_float_digits = -15',
  'ALTER DATABASE $DATABASE SET quote_all_identifiers = on',
  'ALTER DATABASE $DATABASE SET standard_conforming_strings = off',
  `ALTER DATABASE $DATABASE SET default_transaction_isolation = 'serializable'`,
  `ALTER DATABASE $DATABASE SET statement_timeout = '20s'`,
  `ALTER DATABASE $DATABASE SET lock_timeout = '10s'`,
  `ALTER ROLE hf_reader IN DATABASE $DATABASE SET search_path = app, 'ünï ☃'`,
  `ALTER ROLE hf_reader IN DATABASE $DATABASE SET statement_timeout = '1h'`,
  `ALTER ROLE "it's ""quoted"" $(id)" IN DATABASE $DATABASE SET "hf.custom" = 'of "a" role'`,
]

const SUBSCRIPTION = `CREATE SUBSCRIPTION "it's a ""subscription""" CONNECTION 'host=127.0.0.1 port=1 password=''it"s secret'''
  PUBLICATION one, "Two" WITH (connect = false, slot_name = NONE)`

async function versionOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query(`SELECT current_setting('server_version_num') AS version`)
  return Number(rows[0]?.version)
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(clientConfigOf(url))
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
