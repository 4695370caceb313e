import type { PostgresServer } from '@holdfast/testing'
import { postgresFingerprintOf, startPostgres } from '@holdfast/testing'
import { ourDatabases, sessionsLeft } from './postgres-bench.ts'
import type { TroubledBench } from './troubled-bench.ts'
import { openTroubledBench } from './troubled-bench.ts'

/** About 6 MB that cannot be compressed, and rows that are loaded slowly when it is asked for. */
const NEW = `
  CREATE SCHEMA shop;
  CREATE FUNCTION shop.nap(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    PERFORM pg_catalog.pg_sleep(coalesce(nullif(current_setting('shop.nap', true), '')::float8, 0)); RETURN n; END $$;
  CREATE TABLE shop.slow (id int PRIMARY KEY, CHECK (shop.nap(id) > 0));
  INSERT INTO shop.slow SELECT generate_series(1, 40);
  CREATE TABLE shop.items (id int PRIMARY KEY, item text);
  INSERT INTO shop.items SELECT n, encode(sha512(n::text::bytea) || sha512((-n)::text::bytea), 'hex')
    FROM generate_series(1, 24000) n`
const OLD = 'CREATE TABLE public.old AS SELECT n, md5(n::text) FROM generate_series(1, 1000) n'

/** A bench with a PostgreSQL server. */
export interface PostgresTroubles extends TroubledBench<PostgresServer> {
  /** Loading a row takes so long from now on; no time at all when the bench has healed. */
  nap(seconds: number): Promise<void>
}

export async function openPostgresTroubles(): Promise<PostgresTroubles> {
  const server = await startPostgres({ settings: { max_connections: 30, max_prepared_transactions: 2 } })
  for (const [name, content] of [
    ['shop', NEW],
    ['dest', OLD],
  ] as const) {
    await server.createDatabase(name)
    await server.sql(name, content)
  }
  const nap = async (seconds: number) => {
    await server.sql('postgres', `ALTER ROLE "${server.superuser.name}" SET "shop.nap" = '${seconds}'`)
  }
  const bench = await openTroubledBench({
    ...{ server, rows: 24_040, programs: /^[^ ]*\/postgres[^ ]*\/\w+ / },
    targetUrlOf: (database) => server.urlOf(database),
    fingerprintOf: postgresFingerprintOf,
    leftovers: async () => [...(await ourDatabases(server)), ...(await sessionsLeft(server))],
    heal: () => nap(0),
  })
  return { ...bench, nap }
}
