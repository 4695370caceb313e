import assert from 'node:assert/strict'
import { access, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresServer } from '@holdfast/testing'
import { allow, never, rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { DumpFile, DumpFormatName } from '../testing/restore-bench.ts'
import { databaseOf, RestoreBench } from '../testing/restore-bench.ts'

const FORMATS: readonly DumpFormatName[] = ['custom', 'plain', 'directory', 'tar']
const WITHOUT_OWNERS = { options: { keepOwners: false, definer: null } }

let server: PostgresServer
let bench: RestoreBench
let url: string
let old: string

beforeAll(async () => {
  server = await startPostgres()
  bench = await RestoreBench.make(server)
  url = await bench.seeded(1)
  old = await bench.digest(url)
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
  assert.deepEqual(await bench.own(), [])
  assert.equal(await bench.digest(url), old)
})

async function databaseWith(sql: string, options = ''): Promise<string> {
  const made = await server.createDatabase(undefined, options)
  await server.sql(databaseOf(made), sql)
  return made
}

/** A dump whose file is another than pg_dump wrote. */
async function changed(dump: DumpFile, change: (content: Buffer) => Buffer): Promise<DumpFile> {
  await writeFile(dump.file, change(await readFile(dump.file)))
  const { size: sizeBytes } = await stat(dump.file)
  return { file: dump.file, description: { ...dump.description, sizeBytes } }
}

describe('a dump that cannot be restored', () => {
  it.each(FORMATS)(
    'is told by the object that fails, in format %s, without what it holds',
    async (format) => {
      const source = await databaseWith(`
      CREATE SCHEMA deep; SET search_path = deep;
      CREATE TABLE base (id int); INSERT INTO base VALUES (1);
      CREATE FUNCTION deep.known(text) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM base)';
      CREATE TABLE checked (word text CHECK (deep.known(word))); INSERT INTO checked VALUES ('canary');`)
      const error = await rejectsWith(
        'VERIFICATION_FAILED',
        bench.stage(await bench.dump(source, format), url),
      )
      assert.match(error.message, /^not restorable: .*relation "base" does not exist.*deep checked/)
      assert.doesNotMatch(`${error.message} ${error.hint} ${String(error.cause)}`, /canary/)
    },
  )

  it('is told by a materialised view that needs a search path', async () => {
    const source = await databaseWith(`
      CREATE TABLE base (id int);
      CREATE FUNCTION rows_of() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM base';
      CREATE MATERIALIZED VIEW summary AS SELECT public.rows_of() AS n;`)
    const error = await rejectsWith('VERIFICATION_FAILED', bench.stage(await bench.dump(source), url))
    assert.match(error.message, /MATERIALIZED VIEW DATA public summary/)
  })

  it('is told by the table that has other rows than its source had', async () => {
    const source = await bench.seeded(2)
    const dump = await bench.dump(source, 'custom', { rowCounts: { 'public.items': 202, 'public.parts': 9 } })
    const error = await rejectsWith('VERIFICATION_FAILED', bench.stage(dump, url))
    assert.match(error.message, /public\.parts has 52 rows after the restore, its source had 9/)
    const missing = await bench.dump(source, 'custom', { rowCounts: { 'public.gone': 1 } })
    assert.match(
      (await rejectsWith('VERIFICATION_FAILED', bench.stage(missing, url))).message,
      /public\.gone is missing/,
    )
  })

  it.each(FORMATS)('is known for noise before anything is created, in format %s', async (format) => {
    const dump = await bench.dump(await bench.seeded(3), format)
    const noise = await changed(dump, (content) => Buffer.alloc(content.length, 'noise'))
    const code = format === 'directory' ? 'ARTIFACT_CORRUPT' : 'VERIFICATION_FAILED'
    await rejectsWith(code, bench.stage(noise, url))
  })

  it('is known for a script that was cut between two statements', async () => {
    const dump = await bench.dump(await bench.seeded(4), 'plain')
    const cut = await changed(dump, (content) => content.subarray(0, content.lastIndexOf('\n--\n-- Name')))
    const error = await rejectsWith('VERIFICATION_FAILED', bench.stage(cut, url))
    assert.match(error.message, /end/)
  })

  it('starts no program, whatever a script of an old pg_dump says', async () => {
    const canary = join(bench.scratchDir, 'canary')
    const dump = await bench.dump(await bench.seeded(5), 'plain')
    const hostile = await changed(dump, (content) =>
      Buffer.from(
        content
          .toString()
          .replace(/^\\(?:un)?restrict .*\n\n?/gm, '')
          .replace('\n-- Name', `\n\\! touch ${canary}\n-- Name`),
      ),
    )
    await rejectsWith('VERIFICATION_FAILED', bench.stage(hostile, url))
    await assert.rejects(access(canary))
  })

  it('is refused when it cannot fit into temporary space, before a byte of it is read', async () => {
    const dump = await bench.dump(await bench.seeded(6))
    const huge = { ...dump, description: { ...dump.description, sizeBytes: 2 ** 52 } }
    await rejectsWith('TEMPORARY_SPACE_FULL', bench.stage(huge, url))
    const asked = bench.restore(url).preflight(huge.description, { keepOwners: true, definer: null }, never)
    await rejectsWith('TEMPORARY_SPACE_FULL', asked)
  })

  it('is not called damaged for a role that is missing, or a right', async () => {
    const owner = await server.createRole()
    const source = await databaseWith(`CREATE TABLE t (id int); ALTER TABLE t OWNER TO ${owner.name}`)
    const dump = await bench.dump(source)
    await server.sql(databaseOf(source), `DROP OWNED BY ${owner.name}; DROP ROLE ${owner.name}`)
    const missing = await rejectsWith('TOOL_FAILED', bench.stage(dump, url))
    assert.ok(missing.message.includes(owner.name), missing.message)

    const user = await server.createRole({ attributes: 'CREATEDB' })
    const special = await databaseWith(`
      CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;
      CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f()`)
    const own = server.urlOf(databaseOf(await bench.absent()), user)
    const refused = bench.stage(await bench.dump(special), own, WITHOUT_OWNERS)
    await rejectsWith('DATABASE_ACCESS_DENIED', refused)
  })
})

describe('a dump that can be restored', () => {
  it('is restored by an ordinary user with CREATEDB, and taken back', async () => {
    const user = await server.createRole({ attributes: 'CREATEDB' })
    const source = await bench.seeded(7)
    await server.sql(databaseOf(source), 'CREATE EXTENSION pgcrypto; CREATE EXTENSION hstore')
    const dump = await bench.dump(source, 'custom', {
      contents: {
        extensions: [
          { name: 'pgcrypto', version: '1.3', schema: 'public' },
          { name: 'hstore', version: '1.8', schema: 'public' },
        ],
      },
    })
    const name = databaseOf(await server.createDatabase(undefined, `OWNER ${user.name}`))
    const own = server.urlOf(name, user)
    const restore = bench.restore(own)
    await restore.preflight(dump.description, { keepOwners: false, definer: null }, never)
    const { replaced } = await bench.run(dump, own, WITHOUT_OWNERS)
    assert.ok(replaced)
    assert.equal(await bench.digest(own), await bench.digest(source))
    const [row] = await server.sql(
      'postgres',
      'SELECT pg_get_userbyid(datdba) AS owner, datconnlimit FROM pg_database WHERE datname = $1',
      [name],
    )
    assert.deepEqual([row?.owner, row?.datconnlimit], [user.name, -1])
    await restore.undo(replaced.ticket, allow, never)
  })

  it('is restored whatever is set for the user and the database', async () => {
    const user = await server.createRole({ attributes: 'SUPERUSER' })
    for (const setting of [
      'default_transaction_read_only = on',
      'statement_timeout = 1',
      'lock_timeout = 1',
      "search_path = 'nowhere'",
      'row_security = off',
      "default_tablespace = 'nowhere'",
      "DateStyle = 'German'",
      'standard_conforming_strings = off',
      'client_min_messages = debug1',
    ]) {
      await server.sql('postgres', `ALTER ROLE ${user.name} SET ${setting}`)
    }
    const source = await bench.seeded(8)
    await server.sql(
      'postgres',
      `ALTER DATABASE ${databaseOf(source)} SET default_transaction_read_only = on`,
    )
    await server.sql('postgres', `ALTER DATABASE ${databaseOf(source)} CONNECTION LIMIT 3 IS_TEMPLATE true`)
    for (const format of FORMATS) {
      const target = server.urlOf(databaseOf(await bench.absent()), user)
      await bench.run(await bench.dump(source, format), target)
      assert.equal(await bench.digest(target), await bench.digest(source))
      const [row] = await server.sql(
        'postgres',
        `SELECT datconnlimit, datistemplate, setconfig::text FROM pg_database JOIN pg_db_role_setting ON setdatabase = oid
         WHERE datname = $1`,
        [databaseOf(target)],
      )
      assert.deepEqual(Object.values(row ?? {}), [3, true, '{default_transaction_read_only=on}'])
    }
  })

  it.each([
    ['SQL_ASCII', 'C'],
    ['LATIN1', 'C'],
    ['UTF8', 'C.UTF-8'],
  ])('keeps every byte of a database in %s with locale %s', async (encoding, locale) => {
    const source = await databaseWith(
      'CREATE TABLE items (id int, word text)',
      `TEMPLATE template0 ENCODING '${encoding}' LOCALE '${locale}'`,
    )
    const bytes = encoding === 'UTF8' ? `U&'\\00E9\\2603'` : `convert_from('\\xe9fc', '${encoding}')`
    await server.sql(databaseOf(source), `INSERT INTO items VALUES (1, ${bytes})`)
    for (const format of FORMATS) {
      const target = await bench.absent()
      await bench.run(await bench.dump(source, format), target)
      const look = async (from: string) =>
        server.sql(
          databaseOf(from),
          `SELECT encode(convert_to(word, getdatabaseencoding()), 'hex') AS word, getdatabaseencoding() AS encoding,
                  (SELECT datcollate FROM pg_database WHERE datname = current_database()) AS locale FROM items`,
        )
      assert.deepEqual(await look(target), await look(source))
    }
  })
})
