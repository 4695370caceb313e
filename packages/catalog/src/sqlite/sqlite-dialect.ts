import type BetterSqlite3 from 'better-sqlite3'
import type { DatabaseConnection, Dialect, SqliteStatement } from 'kysely'
import { CompiledQuery, SqliteAdapter, SqliteDriver, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'

type Connection = BetterSqlite3.Database

const MOST_STATEMENTS = 400

/** Kysely on one better-sqlite3 connection, whose transactions are writers from their first statement on. */
export function createSqliteDialect(connection: Connection): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new ImmediateDriver(connection),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #connection: Connection

  constructor(connection: Connection) {
    const prepare = cacheStatements(connection)
    super({ database: { prepare, close: () => connection.close() } })
    this.#connection = connection
  }

  // a transaction that becomes a writer half-way fails if somebody else wrote meanwhile, and no waiting cures that
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  // a full disk, for one, has rolled back already; to say so again would hide the error that did it
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.inTransaction) await super.rollbackTransaction(connection)
  }
}

/** Keeps statements prepared, the most recently used ones. */
function cacheStatements(connection: Connection): (text: string) => SqliteStatement {
  const statements = new Map<string, SqliteStatement>()
  return (text) => {
    const known = statements.get(text)
    statements.delete(text)
    const statement = known ?? connection.prepare<unknown[]>(text)
    statements.set(text, statement)
    const [oldest] = statements.keys()
    if (statements.size > MOST_STATEMENTS && oldest !== undefined) statements.delete(oldest)
    return statement
  }
}
