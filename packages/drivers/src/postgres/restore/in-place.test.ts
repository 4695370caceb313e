import assert from 'node:assert/strict'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { AppError } from '@holdfast/core'
import type { PostgresRole, PostgresServer } from '@holdfast/testing'
import { allow, never, rejectsWith, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { DumpFormatName } from '../testing/restore-bench.ts'
import { databaseOf, quote, RestoreBench } from '../testing/restore-bench.ts'

const FORMATS: readonly DumpFormatName[] = ['custom', 'plain', 'directory', 'tar']

let server: PostgresServer
let bench: RestoreBench
let user: PostgresRole

beforeAll(async () => {
  server = await startPostgres()
  bench = await RestoreBench.make(server)
  user = await server.createRole()
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

/** An empty database of the user without CREATEDB, as that user. */
async function emptyOfUser(): Promise<string> {
  const url = await server.createDatabase(undefined, `OWNER ${quote(user.name)}`)
  return server.urlOf(databaseOf(url), user)
}

/** A database of that user's, with the seed's tables. */
async function seededOfUser(seed: number): Promise<string> {
  const url = await bench.seeded(seed)
  await server.sql(
    databaseOf(url),
    `
    ALTER TABLE items OWNER TO ${quote(user.name)}; ALTER TABLE parts OWNER TO ${quote(user.name)};
    ALTER VIEW few OWNER TO ${quote(user.name)};
    DO 'DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP
      EXECUTE format(''ALTER LARGE OBJECT %s OWNER TO ${user.name}'', o); END LOOP; END'`,
  )
  return url
}

async function keptFiles(): Promise<readonly string[]> {
  return (await readdir(bench.scratchDir)).filter((name) => name.endsWith('-in-place'))
}

describe('PostgresRestore without CREATEDB', () => {
  it.each(FORMATS)('loads a dump of format %s into an empty database in one transaction', async (format) => {
    const source = await seededOfUser(3)
    const dump = await bench.dump(source, format)
    const url = await emptyOfUser()
    const needs = await bench
      .restore(url)
      .preflight(dump.description, { keepOwners: true, definer: null }, never)
    assert.match(needs.warnings.join(), /may not create databases/)
    const operationId = bench.newOperationId()
    const ticket = await bench.stage(dump, url, { operationId })
    assert.equal((await bench.restore(url).inspectDestination(never)).occupied, false)
    let seenBefore: string | null = null
    const confirm = async () => {
      seenBefore = await bench.digest(url)
    }
    const first = await bench.restore(url).swap(ticket, confirm, never)
    assert.equal(first.replaced, null)
    assert.equal(seenBefore, '[]', 'something was to be seen before the commit')
    assert.equal(await bench.digest(url), await bench.digest(source))

    await bench.restore(url).swap(ticket, allow, never)
    await bench.restore(url).discardStaged(operationId)
    await bench.restore(url).swap(ticket, allow, never)
    assert.equal(await bench.digest(url), await bench.digest(source))
  })

  it('changes nothing if it is refused or cancelled, and comes to its end when asked again', async () => {
    const source = await seededOfUser(4)
    const url = await emptyOfUser()
    const ticket = await bench.stage(await bench.dump(source), url)
    const refusal = new AppError('FENCE_LOST', 'somebody else is at it')
    const refuse = () => Promise.reject(refusal)
    assert.equal(await rejectsWith('FENCE_LOST', bench.restore(url).swap(ticket, refuse, never)), refusal)
    const cancel = new AbortController()
    const hang = async () => {
      cancel.abort()
      await new Promise(() => {})
    }
    await rejectsWith('CANCELLED', bench.restore(url).swap(ticket, hang, cancel.signal))
    assert.equal(await bench.digest(url), '[]')
    await bench.restore(url).swap(ticket, allow, never)
    assert.equal(await bench.digest(url), await bench.digest(source))
  })

  it('finds out on another machine whether it has happened', async () => {
    const source = await seededOfUser(5)
    const url = await emptyOfUser()
    const operationId = bench.newOperationId()
    const ticket = await bench.stage(await bench.dump(source), url, { operationId })
    const elsewhere = await RestoreBench.make(server)
    try {
      await rejectsWith('DATABASE_NOT_FOUND', elsewhere.restore(url).swap(ticket, allow, never))
      await bench.restore(url).swap(ticket, allow, never)
      await elsewhere.restore(url).swap(ticket, allow, never)
      await server.sql(databaseOf(url), 'DELETE FROM parts')
      await rejectsWith('DESTINATION_EXISTS', elsewhere.restore(url).swap(ticket, allow, never))
      // this machine knows the transaction
      await bench.restore(url).swap(ticket, allow, never)
    } finally {
      await elsewhere.remove()
    }
  })

  it('rejects rows that are not those of the source, and keeps nothing of them', async () => {
    const source = await seededOfUser(6)
    const dump = await bench.dump(source, 'custom', { rowCounts: { 'public.items': 206, 'public.parts': 1 } })
    const url = await emptyOfUser()
    const ticket = await bench.stage(dump, url)
    const error = await rejectsWith('VERIFICATION_FAILED', bench.restore(url).swap(ticket, allow, never))
    assert.match(error.message, /public\.parts has 56 rows/)
    assert.equal(await bench.digest(url), '[]')
  })

  it('names the object that cannot be restored, and keeps nothing of the others', async () => {
    const source = await seededOfUser(7)
    await server.sql('postgres', `ALTER DATABASE ${databaseOf(source)} OWNER TO ${user.name}`)
    await server.sql(databaseOf(source), `SET ROLE ${user.name}; ${UNRESTORABLE}`)
    for (const format of ['custom', 'plain'] as const) {
      const url = await emptyOfUser()
      const ticket = await bench.stage(await bench.dump(source, format), url)
      const error = await rejectsWith('VERIFICATION_FAILED', bench.restore(url).swap(ticket, allow, never))
      assert.match(error.message, /not restorable/)
      assert.equal(await bench.digest(url), '[]')
    }
  })

  it('starts no program that a script of an older pg_dump asks for', async () => {
    const dump = await bench.dump(await seededOfUser(11), 'plain')
    const started = `${dump.file}.started`
    const script = (await readFile(dump.file, 'utf8'))
      .replace(/^\\(?:un)?restrict .*\n\n?/gm, '')
      .replace(/^SET /m, `\\! touch ${started}\nSET `)
    await writeFile(dump.file, script)
    const description = { ...dump.description, sizeBytes: Buffer.byteLength(script) }
    const url = await emptyOfUser()
    const ticket = await bench.stage({ ...dump, description }, url)
    await rejectsWith('VERIFICATION_FAILED', bench.restore(url).swap(ticket, allow, never))
    await assert.rejects(access(started))
    assert.equal(await bench.digest(url), '[]')
  })

  it('asks for a database that exists and is empty', async () => {
    const dump = await bench.dump(await bench.seeded(8))
    const absent = databaseOf(await bench.absent())
    const full = databaseOf(await bench.seeded(9))
    for (const [name, problem] of [
      [absent, /does not exist/],
      [full, /not empty/],
    ] as const) {
      const url = server.urlOf(name, user)
      const asked = bench
        .restore(url)
        .preflight(dump.description, { keepOwners: false, definer: null }, never)
      assert.match((await rejectsWith('RESTORE_NOT_POSSIBLE', asked)).message, problem)
      await rejectsWith(
        'RESTORE_NOT_POSSIBLE',
        bench.stage(dump, url, { options: { keepOwners: false, definer: null } }),
      )
    }
  })

  it('loses nothing when the database is filled by somebody else meanwhile', async () => {
    const url = await emptyOfUser()
    const operationId = bench.newOperationId()
    const ticket = await bench.stage(await bench.dump(await seededOfUser(10)), url, { operationId })
    await server.sql(databaseOf(url), 'CREATE TABLE mine (id int); INSERT INTO mine VALUES (1)')
    await rejectsWith('DESTINATION_EXISTS', bench.restore(url).swap(ticket, allow, never))
    await bench.restore(url).discardStaged(operationId)
    const [row] = await server.sql(databaseOf(url), 'SELECT id FROM mine')
    assert.equal(row?.id, 1)
    assert.deepEqual(
      (await keptFiles()).filter((name) => name.startsWith(operationId)),
      [`${operationId}-in-place`],
    )
  })
})

/** pg_dump writes it without a word; loading it fails, because the search path is empty then. */
const UNRESTORABLE = `
  CREATE SCHEMA deep; SET search_path = deep;
  CREATE TABLE base (id int); INSERT INTO base VALUES (1);
  CREATE FUNCTION deep.known(int) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM base)';
  CREATE TABLE checked (id int CHECK (deep.known(id))); INSERT INTO checked VALUES (1);`
