import type { ClientConfig } from 'pg'
import pg from 'pg'

/** Values as the server writes them, none turned into a number or a date. */
const AS_TEXT = { getTypeParser: () => (value: string) => value }

/** One session of its own, in which names are always qualified and values never depend on anybody's settings. */
export interface CatalogSession {
  /** Rows of texts and nulls. */
  rows(text: string, values?: readonly unknown[]): Promise<readonly (readonly (string | null)[])[]>
}

/** How to connect to what a URL names; the library itself does not decode all of a database's name. */
export function clientConfigOf(url: string): ClientConfig {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url)
  return {
    host: searchParams.get('host') ?? decodeURIComponent(hostname),
    port: Number(port || searchParams.get('port') || 5432),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    application_name: 'test',
  }
}

/** Looks at one moment of a database. */
export async function withSession<Result>(
  url: string,
  look: (session: CatalogSession) => Promise<Result>,
): Promise<Result> {
  const client = await openClient(url)
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    return await look(sessionOf(client))
  } finally {
    await client.end()
  }
}

/** A client with the settings that a fingerprint needs. */
export async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ ...clientConfigOf(url), types: AS_TEXT })
  // whoever waits for an answer is told
  client.on('error', () => {})
  await client.connect()
  await client.query(SETTINGS)
  // what is no text in UTF-8 can be sent only so
  const { rows } = await client.query('SHOW server_encoding')
  if (rows[0]?.server_encoding === 'SQL_ASCII') await client.query('SET client_encoding = SQL_ASCII')
  return client
}

/** What a fingerprint asks of a client. */
export function sessionOf(client: pg.Client): CatalogSession {
  return {
    async rows(text, values = []) {
      const result = await client.query({ text, values: [...values], rowMode: 'array' })
      return result.rows
    },
  }
}

const SETTINGS = `
  SET standard_conforming_strings = on;
  SET jit = off;
  SET search_path = '';
  SET row_security = off;
  SET TimeZone = 'UTC';
  SET DateStyle = 'ISO, YMD';
  SET IntervalStyle = 'postgres';
  SET lc_monetary = 'C';
  SET bytea_output = 'hex';
  SET extra_float_digits = 1;
  SET quote_all_identifiers = off;
  SET statement_timeout = 0;
`

/** The database that a URL names. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}
