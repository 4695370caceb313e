import { setTimeout as delay } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { createConnection } from 'mysql2/promise'

/** One row: text and numbers as the library reads them, dates and what a number cannot hold as text. */
export type MysqlRow = Readonly<Record<string, unknown>>

/** A session of a test. It goes on when the server ends it while nobody waits for an answer. */
export interface MysqlClient {
  readonly id: number
  /** Carries out one statement, or several without values. Returns the rows of the last one that has any. */
  query(text: string, values?: readonly unknown[]): Promise<readonly MysqlRow[]>
  /** Resolves when the server has let go of all that the session held; also if the server is gone. */
  end(): Promise<void>
}

/** Opens a session at a URL like `mysql://user:password@host:port/schema`; the schema may be missing. */
export async function openMysqlClient(url: string): Promise<MysqlClient> {
  const connection = await connect(url)
  return {
    id: connection.threadId,
    async query(text, values) {
      const [result] = await connection.query(text, values === undefined ? undefined : [...values])
      return rowsOf(result)
    },
    async end() {
      // what it holds is free when this is answered; the end of the connection alone tells nothing
      const rolledBack = connection.query('ROLLBACK; UNLOCK TABLES; BACKUP STAGE END').catch(() => {})
      await Promise.race([rolledBack, delay(2000, undefined, { ref: false })])
      connection.destroy()
    },
  }
}

/** Lends a session of this URL to some work. */
export async function withMysqlClient<Result>(
  url: string,
  work: (client: MysqlClient) => Promise<Result>,
): Promise<Result> {
  const client = await openMysqlClient(url)
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Carries out one statement, or several without values, in a session of its own. */
export async function mysqlQuery(
  url: string,
  text: string,
  values?: readonly unknown[],
): Promise<readonly MysqlRow[]> {
  return await withMysqlClient(url, (client) => client.query(text, values))
}

/** A name in SQL, whatever it holds. */
export function mysqlName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** The name of the schema that a URL ends with. */
export function mysqlSchemaOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}

async function connect(url: string): Promise<Connection> {
  const { hostname, port, username, password } = new URL(url)
  const schema = mysqlSchemaOf(url)
  const connection = await createConnection({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    ...(schema === '' ? {} : { database: schema }),
    charset: 'utf8mb4_general_ci',
    multipleStatements: true,
    supportBigNumbers: true,
    dateStrings: true,
    jsonStrings: true,
  })
  // a session that the server ends while nobody waits for an answer of it is no failure of the test process
  connection.on('error', () => {})
  return connection
}

/** Several statements at once have several results, and what returns no rows is an object that counts them. */
function rowsOf(result: unknown): readonly MysqlRow[] {
  if (!Array.isArray(result)) return []
  const several: readonly unknown[] = result
  const last: unknown = several.findLast((one) => Array.isArray(one))
  if (Array.isArray(last)) return last
  return several.every((one) => typeof one === 'object' && one !== null && !isHeader(one)) ? result : []
}

function isHeader(one: object): boolean {
  return one.constructor.name === 'ResultSetHeader'
}
