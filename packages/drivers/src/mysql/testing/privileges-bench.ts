import assert from 'node:assert/strict'
import { createReadStream, readFileSync } from 'node:fs'
import type { DriverFactory, DumpRequest, DumpSummary, RestoreOptions } from '@holdfast/core'
import type { MariadbServer, MysqlPlace, TakenDump } from '@holdfast/testing'
import { allow, DriverBench, makeMysqlPlace, never, startMariadb } from '@holdfast/testing'
import { mysqlDriverFactory } from '../mysql-factory.ts'

const DOCUMENT = new URL('../../../../../docs/engines/mysql.md', import.meta.url)
/** As the document has it. */
const PASSWORD = 'change this'

/** What an application makes: something of each kind, which runs as somebody else than who backs up. */
const SHOP = [
  'CREATE SEQUENCE numbers',
  'CREATE TABLE items (id int PRIMARY KEY DEFAULT NEXTVAL(numbers), word text)',
  'CREATE TABLE parts (item int REFERENCES items (id), part int, KEY (part))',
  `INSERT INTO items (word) SELECT CONCAT('word ', seq) FROM seq_1_to_20`,
  'INSERT INTO parts SELECT id, id FROM items',
  'CREATE DEFINER=shop_owner VIEW named AS SELECT id, word FROM items',
  'CREATE DEFINER=shop_owner TRIGGER loud BEFORE INSERT ON items FOR EACH ROW SET NEW.word = UPPER(NEW.word)',
  'CREATE DEFINER=shop_owner FUNCTION three() RETURNS int DETERMINISTIC RETURN 3',
  'CREATE DEFINER=shop_owner PROCEDURE clean() DELETE FROM parts WHERE part < 0',
  'CREATE DEFINER=shop_owner EVENT nightly ON SCHEDULE EVERY 1 DAY DO CALL clean()',
]

/** A server with a database `shop`, on which nobody may do more than the document grants. */
export class PrivilegesBench {
  readonly server: MariadbServer
  readonly factory: DriverFactory
  readonly place: MysqlPlace
  readonly #bench: DriverBench

  private constructor(server: MariadbServer, place: MysqlPlace) {
    this.server = server
    this.place = place
    this.factory = mysqlDriverFactory()
    this.#bench = new DriverBench(this.factory, { ...place, scratchUrl: this.as('holdfast_drill', null) })
  }

  static async make(): Promise<PrivilegesBench> {
    const server = await startMariadb()
    const bench = new PrivilegesBench(server, await makeMysqlPlace(server))
    await server.createDatabase('shop')
    await server.createAccount({ name: 'shop_owner', grants: ['ALL ON shop.*'] })
    for (const statement of SHOP) await server.sql('shop', statement)
    return bench
  }

  async remove(): Promise<void> {
    await this.factory.close()
    await this.place.remove()
    await this.server.stop()
  }

  /** The URL of a database for an account of the document. */
  as(name: string, database: string | null = 'shop'): string {
    return this.server.urlOf(database, { name, password: PASSWORD })
  }

  driver(url: string) {
    return this.#bench.driver(url)
  }

  /** Runs the one block of SQL below a heading of the document that holds a word. */
  async run(heading: string, word: string): Promise<void> {
    await this.server.sql(null, blockOf(heading, word))
  }

  async backUp(url = this.as('holdfast_backup'), change: Partial<DumpRequest> = {}): Promise<DumpSummary> {
    return (await this.#bench.dump(url, change)).summary
  }

  /** Takes a backup of the shop as administrator. */
  wholeShop(): Promise<TakenDump> {
    return this.#bench.dump(this.server.urlOf('shop'))
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

  /** Whom what runs in a database runs as. */
  async definersIn(database: string): Promise<readonly string[]> {
    const rows = await this.server.sql(
      null,
      `SELECT definer FROM information_schema.routines WHERE routine_schema = ? UNION
       SELECT definer FROM information_schema.views WHERE table_schema = ? UNION
       SELECT definer FROM information_schema.triggers WHERE trigger_schema = ? UNION
       SELECT definer FROM information_schema.events WHERE event_schema = ?`,
      Array.from({ length: 4 }, () => database),
    )
    return rows.map(({ definer }) => String(definer))
  }

  /** Databases that the engine has made and that are still there. */
  async ownDatabases(): Promise<readonly string[]> {
    const rows = await this.server.sql(null, "SHOW DATABASES LIKE 'holdfast%'")
    return rows.flatMap((row) => Object.values(row).map(String))
  }
}

/** The one block of SQL below a heading of the document that holds a word. */
function blockOf(heading: string, word: string): string {
  const [, section = ''] = readFileSync(DOCUMENT, 'utf8').split(`\n### ${heading}\n`)
  const [text = ''] = section.split(/\n##+ /)
  const blocks = [...text.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql = '']) => sql)
  const found = blocks.filter((sql) => sql.includes(word))
  assert.equal(found.length, 1, `one block below '${heading}' with '${word}'`)
  return found.join()
}
