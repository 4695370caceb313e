import type { MariadbServer } from '@holdfast/testing'
import { mysqlFingerprintOf, startMariadb } from '@holdfast/testing'
import { ourSchemas, sessionsLeft } from './mysql-bench.ts'
import type { TroubledBench } from './troubled-bench.ts'
import { openTroubledBench } from './troubled-bench.ts'

/** About 6 MB that cannot be compressed, and a table that may be larger than a server allows it. */
const NEW = `
  CREATE TABLE limited (id INT PRIMARY KEY, filling VARCHAR(200)) ENGINE = MyISAM;
  INSERT INTO limited SELECT seq, REPEAT('x', 200) FROM seq_1_to_400;
  CREATE TABLE items (id INT PRIMARY KEY, item CHAR(255));
  INSERT INTO items SELECT seq, CONCAT(SHA2(seq, 512), SHA2(-seq, 384)) FROM seq_1_to_24000;
  CREATE FUNCTION twice (n INT) RETURNS INT DETERMINISTIC NO SQL RETURN 2 * n;
  CREATE VIEW some AS SELECT id, twice(id) AS two FROM items WHERE id < 10`
const OLD = `
  CREATE TABLE log (entry INT AUTO_INCREMENT PRIMARY KEY, what CHAR(32));
  CREATE TABLE items (id INT PRIMARY KEY, item CHAR(32));
  INSERT INTO items SELECT seq, MD5(seq) FROM seq_1_to_1000;
  CREATE TRIGGER noted BEFORE INSERT ON items FOR EACH ROW INSERT INTO log (what) VALUES (NEW.item);
  CREATE FUNCTION twice (n INT) RETURNS INT DETERMINISTIC NO SQL RETURN n + n;
  CREATE VIEW few AS SELECT id, twice(id) AS two FROM items`

/** A bench with a MariaDB server. */
export interface MysqlTroubles extends TroubledBench<MariadbServer> {
  /** The service may have no more than so many at the same time from now on, until the bench has healed. */
  allowConnections(most: number): Promise<void>
}

export async function openMysqlTroubles(): Promise<MysqlTroubles> {
  const server = await startMariadb()
  const account = await server.createAccount({ name: 'service', grants: ['ALL ON *.*'] })
  for (const [name, content] of [
    ['shop', NEW],
    ['dest', OLD],
  ] as const) {
    await server.createDatabase(name)
    await server.sql(name, content)
  }
  const allowConnections = async (most: number) => {
    await server.sql(null, `ALTER USER ?@? WITH MAX_USER_CONNECTIONS ${most}`, [account.name, account.host])
  }
  const bench = await openTroubledBench({
    ...{ server, rows: 24_400, programs: /^[^ ]*\/(?:mariadb|mysql)[\w-]* / },
    targetUrlOf: (database) => server.urlOf(database, account),
    fingerprintOf: mysqlFingerprintOf,
    leftovers: async () => [...(await ourSchemas(server)), ...(await sessionsLeft(server))],
    heal: () => allowConnections(0),
  })
  return { ...bench, allowConnections }
}
