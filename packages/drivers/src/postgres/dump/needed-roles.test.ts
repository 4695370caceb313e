import assert from 'node:assert/strict'
import type { PostgresServer } from '@holdfast/testing'
import { startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from 'vitest'
import { databaseOf } from '../testing/dump-bench.ts'
import { SessionBench } from '../testing/session-bench.ts'
import { neededRoles } from './needed-roles.ts'
import { EVERYTHING } from './select-relations.ts'

const bench = new SessionBench()
let server: PostgresServer
let url: string

beforeAll(async () => {
  server = await startPostgres()
  await server.sql('postgres', 'CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE carol; CREATE ROLE dora')
})

beforeEach(async () => {
  url = await server.createDatabase(undefined, 'OWNER alice')
})

afterEach(() => bench.closeAll())

afterAll(async () => {
  await server?.stop()
})

function sql(text: string) {
  return server.sql(databaseOf(url), text)
}

async function roles(): Promise<readonly string[]> {
  return neededRoles(await bench.open(url), EVERYTHING)
}

describe('neededRoles', () => {
  it('names nobody for extensions, whose owner is whoever restores them', async () => {
    // with types and their arrays, tables and their indexes, functions with privileges of their own
    await sql('CREATE EXTENSION hstore; CREATE EXTENSION pgstattuple; CREATE EXTENSION pg_stat_statements')
    assert.deepEqual(await roles(), ['alice'])
  })

  it('names who was granted something of an extension later', async () => {
    await sql('CREATE EXTENSION pgstattuple; GRANT EXECUTE ON FUNCTION pgstattuple(text) TO bob')
    assert.deepEqual(await roles(), ['alice', 'bob'])
  })

  it('names the owners of what belongs to nothing else', async () => {
    await sql(`
      CREATE TYPE pair AS (one int, other int);
      CREATE TYPE span AS RANGE (subtype = int4);
      CREATE TABLE items (id serial PRIMARY KEY, spans span[]);
      ALTER TYPE pair OWNER TO bob; ALTER TYPE span OWNER TO carol; ALTER TABLE items OWNER TO dora`)
    assert.deepEqual(await roles(), ['alice', 'bob', 'carol', 'dora'])
  })

  it('names those who granted in the name of an owner, and owners who granted themselves', async () => {
    await sql(`
      CREATE SCHEMA AUTHORIZATION alice; SET ROLE alice; CREATE TABLE alice.items (id int);
      GRANT USAGE ON SCHEMA alice TO bob; GRANT SELECT ON alice.items TO bob WITH GRANT OPTION;
      SET ROLE bob; GRANT SELECT ON alice.items TO carol`)
    assert.deepEqual(await roles(), ['alice', 'bob', 'carol'])
  })
})
