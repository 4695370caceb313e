import assert from 'node:assert/strict'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { RestoreBench } from '../testing/restore-bench.ts'

const WATCHED = `
  CREATE TABLE audit (tag text);
  CREATE TABLE t AS SELECT 1 AS a;
  CREATE MATERIALIZED VIEW m AS SELECT a FROM t;
  CREATE INDEX ON m (a);
  CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.audit VALUES (tg_tag);
      IF tg_tag LIKE 'REFRESH%' THEN RAISE EXCEPTION 'nobody refreshes'; END IF;
    END $$;
  CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch();
  COMMENT ON EVENT TRIGGER watch IS 'watches'`

describe('a dump with an event trigger', () => {
  let server: PostgresServer
  let bench: RestoreBench

  beforeAll(async () => {
    server = await startPostgres()
    bench = await RestoreBench.make(server)
  })
  afterAll(async () => {
    await server?.stop()
    await bench?.remove()
  })

  it.each(['custom', 'directory', 'tar'] as const)(
    'of format %s is restored without firing it',
    async (format) => {
      const source = await server.createDatabase()
      await server.sql(new URL(source).pathname.slice(1), WATCHED)
      const destination = await bench.absent()
      await bench.run(await bench.dump(source, format), destination)
      const name = new URL(destination).pathname.slice(1)
      assert.deepEqual(await server.sql(name, 'SELECT tag FROM audit'), [])
      assert.deepEqual(await server.sql(name, 'SELECT a FROM m'), [{ a: 1 }])
      const [trigger] = await server.sql(
        name,
        `SELECT evtname AS name, obj_description(oid) AS comment FROM pg_event_trigger`,
      )
      assert.deepEqual(trigger, { name: 'watch', comment: 'watches' })
    },
  )
})
