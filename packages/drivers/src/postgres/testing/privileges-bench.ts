import assert from 'node:assert/strict'
import { createReadStream, readFileSync } from 'node:fs'
import type { DriverFactory, DumpRequest, DumpSummary, RestoreOptions } from '@holdfast/core'
import type { PostgresPlace, PostgresRole, PostgresServer, TakenDump } from '@holdfast/testing'
import { allow, DriverBench, makePostgresPlace, never, startPostgres } from '@holdfast/testing'
import { postgresDriverFactory } from '../postgres-factory.ts'
import { parsePostgresUrl } from '../postgres-url.ts'
import { openSession } from '../session.ts'

const DOCUMENT = new URL('../../../../../docs/engines/postgres.md', import.meta.url)
/** As the document has it. */
export const PASSWORD = 'change this'
const ROLES = `CREATE ROLE shop_owner LOGIN PASSWORD '${PASSWORD}'; CREATE ROLE reader LOGIN PASSWORD '${PASSWORD}'`

/** What an application makes: tables in the schema `public`, and in another one that nobody else may enter. */
const SHOP = `
  SET ROLE shop_owner;
  CREATE EXTENSION hstore;
  CREATE TABLE items (id serial PRIMARY KEY, word text);
  INSERT INTO items (word) SELECT 'word ' || i FROM generate_series(1, 20) i;
  GRANT SELECT ON items TO reader;
  CREATE SCHEMA private;
  CREATE TABLE private.parts (item int REFERENCES items);
  INSERT INTO private.parts SELECT id FROM items;
  CREATE MATERIALIZED VIEW private.counted AS SELECT count(*) FROM items;
  ALTER DATABASE shop SET work_mem = '5MB';
  REVOKE CONNECT ON DATABASE shop FROM PUBLIC;
  GRANT CONNECT ON DATABASE shop TO reader`
const SALES = `
  SET ROLE shop_owner;
  CREATE SCHEMA sales;
  CREATE TABLE sales.orders (id serial PRIMARY KEY);
  INSERT INTO sales.orders SELECT FROM generate_series(1, 7)`

/** A server with the databases `shop` and `sales`, on which nobody may do more than the document grants. */
export class PrivilegesBench {
  readonly server: PostgresServer
  readonly factory: DriverFactory
  readonly place: PostgresPlace
  readonly #bench: DriverBench

  private constructor(server: PostgresServer, place: PostgresPlace) {
    this.server = server
    this.place = place
    this.factory = postgresDriverFactory()
    this.#bench = new DriverBench(this.factory, { ...place, scratchUrl: this.as('holdfast_drill', '') })
  }

  static async make(): Promise<PrivilegesBench> {
    const server = await startPostgres()
    const bench = new PrivilegesBench(server, await makePostgresPlace(server))
    await server.sql('postgres', ROLES)
    for (const name of ['shop', 'sales']) await server.createDatabase(name, 'OWNER shop_owner')
    await server.sql('shop', SHOP)
    await server.sql('sales', SALES)
    return bench
  }

  async remove(): Promise<void> {
    await this.factory.close()
    await this.place.remove()
    await this.server.stop()
  }

  /** The URL of a database for a role of the document. */
  as(name: string, database = 'shop'): string {
    return this.server.urlOf(database, { name, password: PASSWORD })
  }

  driver(url: string) {
    return this.#bench.driver(url)
  }

  sql(text: string, database = 'shop') {
    return this.server.sql(database, text)
  }

  /** Runs the one block of SQL below a heading of the document that holds a word. */
  async run(heading: string, word: string): Promise<void> {
    await this.sql(blockOf(heading, word), 'postgres')
  }

  async backUp(url = this.as('holdfast_backup'), change: Partial<DumpRequest> = {}): Promise<DumpSummary> {
    return (await this.#bench.dump(url, change)).summary
  }

  /** Takes a backup of the shop as superuser. */
  wholeShop(change: Partial<DumpRequest> = {}): Promise<TakenDump> {
    return this.#bench.dump(this.server.urlOf('shop'), change)
  }

  /** All that a restore does. Returns the ticket of what was replaced, empty if that is nothing. */
  async restore(
    dump: TakenDump,
    url: string,
    options: RestoreOptions = { keepOwners: true, definer: null },
  ): Promise<string> {
    const driver = this.driver(url)
    await driver.preflight(dump.description, options, never)
    const request = await this.#bench.stageRequest(dump, { options })
    const ticket = await driver.stage(request, createReadStream(dump.file), never)
    try {
      return (await driver.swap(ticket, allow, never)).replaced?.ticket ?? ''
    } catch (error) {
      await driver.discardStaged(request.operationId)
      throw error
    }
  }

  drill(dump: TakenDump) {
    return this.#bench.check(dump, 'full')
  }

  async ownerOf(database: string): Promise<string> {
    const [row] = await this.sql(
      `SELECT pg_get_userbyid(datdba)::text AS owner FROM pg_database WHERE datname = '${database}'`,
    )
    return String(row?.owner)
  }

  /** Databases that the engine has made and that are still there. */
  async ownDatabases(): Promise<readonly string[]> {
    const rows = await this.sql(`SELECT datname FROM pg_database WHERE datname LIKE 'holdfast%'`)
    return rows.map((row) => String(row.datname))
  }

  /** Lets an application be connected to the shop meanwhile. */
  async whileConnected<Result>(role: PostgresRole, work: () => Promise<Result>): Promise<Result> {
    const connection = parsePostgresUrl(this.server.urlOf('shop', role))
    const session = await openSession(connection, { database: 'shop', applicationName: '', signal: never })
    try {
      return await work()
    } finally {
      await session.close()
    }
  }
}

/** The one block of SQL below a heading of the document that holds a word. */
export function blockOf(heading: string, word: string): string {
  const [, section = ''] = readFileSync(DOCUMENT, 'utf8').split(`\n### ${heading}\n`)
  const [own = ''] = section.split(/\n##/)
  const blocks = [...own.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  const found = blocks.filter((block) => block.includes(word))
  assert.equal(found.length, 1, `blocks of SQL with ${word} below ${heading}`)
  return found.join()
}
