import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { AppError } from '@holdfast/core'
import {
  allow,
  fingerprintDifferences,
  mysqlName,
  mysqlSchemaOf,
  never,
  rejectsWith,
  startMariadb,
} from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { Filling } from '../testing/swap-bench.ts'
import { SwapBench } from '../testing/swap-bench.ts'
import { grantsOn, NEW, OLD } from '../testing/swap-fillings.ts'
import { discardStaged } from './discard-staged.ts'
import { removeLeftovers } from './remove-leftovers.ts'
import { removeReplaced } from './remove-replaced.ts'
import { swap } from './swap.ts'
import { undo } from './undo.ts'

const SMALL: Filling = { sql: 'CREATE TABLE small (a INT); INSERT INTO small VALUES (1)' }

describe('exchanging schemas', () => {
  let bench: SwapBench
  beforeAll(async () => {
    bench = new SwapBench(await startMariadb())
  })
  afterAll(() => bench?.server.stop())
  afterEach(async () => {
    for (const name of await bench.leftovers())
      await bench.server.sql(null, `DROP DATABASE ${mysqlName(name)}`)
  })

  /** Swaps something in. Returns the ticket of what it replaced. */
  const replace = async (url: string, filling: Filling) => {
    const staged = await bench.stage(url, filling)
    const { replaced } = await swap(bench.parts(url), staged.ticket, allow, never)
    return { ...staged, kept: replaced?.ticket ?? assert.fail('nothing was replaced') }
  }
  const same = async (url: string, expected: readonly string[], what?: string) =>
    assert.deepEqual(fingerprintDifferences(expected, await bench.fingerprint(url)), [], what)

  it('brings all that was staged, keeps all that was there, and puts that back', async () => {
    const url = await bench.fill(OLD)
    const schema = mysqlName(mysqlSchemaOf(url))
    await bench.server.sql(null, grantsOn(schema))
    const grants = () =>
      bench.server.sql(
        null,
        `SELECT Db, Table_name, Table_priv, Column_priv FROM mysql.tables_priv WHERE User = 'clerk'
         UNION ALL SELECT Db, Column_name, Column_priv, '' FROM mysql.columns_priv WHERE User = 'clerk'`,
      )
    const [old, oldGrants] = [await bench.fingerprint(url), await grants()]
    const staged = await bench.stage(url, NEW)
    const { replaced, warnings } = await swap(bench.parts(url), staged.ticket, allow, never)
    assert.deepEqual(warnings, [])
    assert.ok(replaced)
    // what was granted on routines that were there before stays; the source had granted nothing
    assert.deepEqual(fingerprintDifferences(staged.fingerprint, await bench.fingerprint(url)), [
      "only in the second: routine grant FUNCTION 'changing' 'clerk' '%'",
      "only in the second: routine grant FUNCTION 'steady' 'clerk' '%'",
    ])
    assert.deepEqual(await grants(), oldGrants)
    assert.deepEqual(await bench.leftovers(), [replaced.location.split('/').at(-1)])
    await requireKeys(bench, mysqlSchemaOf(url), 80)
    await requireKeys(bench, replaced.location.split('/').at(-1) ?? '', 40)
    await undo(bench.parts(url), replaced.ticket, allow, never)
    await same(url, old)
    assert.deepEqual(await bench.leftovers(), [])
    await bench.server.sql(mysqlSchemaOf(url), 'INSERT INTO orders (year) VALUES (3)')
    const [last] = await bench.server.sql(mysqlSchemaOf(url), 'SELECT MAX(id) AS id FROM orders')
    assert.equal(Number(last?.id), 510)
  })

  it('goes where nothing is, and knows it again without what was staged', async () => {
    const url = bench.server.urlOf(bench.newName())
    const staged = await bench.stage(url, NEW, 'nothing')
    for (let time = 0; time < 3; time += 1) {
      const { replaced } = await swap(bench.parts(url), staged.ticket, allow, never)
      assert.equal(replaced, null)
      await same(url, staged.fingerprint)
      assert.deepEqual(await bench.leftovers(), [])
      await discardStaged(bench.parts(url), staged.operationId)
    }
  })

  it('goes where an empty schema is, and makes it empty again', async () => {
    const url = await bench.fill({ sql: 'DO 0', options: 'CHARACTER SET latin1' })
    const empty = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW, 'empty')
    const { replaced } = await swap(bench.parts(url), staged.ticket, allow, never)
    await undo(bench.parts(url), replaced?.ticket ?? '', allow, never)
    await undo(bench.parts(url), replaced?.ticket ?? '', allow, never)
    await same(url, empty)
  })

  it.each(['nothing', 'empty'] as const)('does not replace what has come where %s was', async (found) => {
    const url = await bench.fill(SMALL)
    const staged = await bench.stage(url, NEW, found)
    const before = await bench.fingerprint(url)
    await rejectsWith('DESTINATION_EXISTS', swap(bench.parts(url), staged.ticket, allow, never))
    await same(url, before)
  })

  it('changes nothing, not even beside it, if it is refused', async () => {
    const url = await bench.fill(OLD)
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW)
    const beside = await bench.leftovers()
    const refuse = () => Promise.reject(new AppError('FENCE_LOST', 'somebody else is at it'))
    await rejectsWith('FENCE_LOST', swap(bench.parts(url), staged.ticket, refuse, never))
    await same(url, before)
    assert.deepEqual(await bench.leftovers(), beside)
  })

  it('removes what it replaced, as often as it is asked to, and undoes nothing then', async () => {
    const url = await bench.fill(OLD)
    const { kept, fingerprint } = await replace(url, SMALL)
    await removeReplaced(bench.parts(url), kept)
    await removeReplaced(bench.parts(url), kept)
    assert.deepEqual(await bench.leftovers(), [])
    await rejectsWith('UNDO_NOT_POSSIBLE', undo(bench.parts(url), kept, allow, never))
    await same(url, fingerprint)
  })

  it('lets what was made since go with what an undo puts away', async () => {
    const url = await bench.fill(OLD)
    const old = await bench.fingerprint(url)
    const { kept } = await replace(url, NEW)
    await bench.server.sql(
      mysqlSchemaOf(url),
      `CREATE TABLE since (a INT); CREATE TRIGGER since BEFORE INSERT ON since FOR EACH ROW SET NEW.a = 1;
       CREATE VIEW since_view AS SELECT a FROM since; DROP TABLE children; CREATE PROCEDURE since () DO 0;
       CREATE EVENT since ON SCHEDULE EVERY 1 YEAR DO DO 0; ALTER DATABASE COLLATE latin1_bin`,
    )
    await undo(bench.parts(url), kept, allow, never)
    await same(url, old)
    assert.deepEqual(await bench.leftovers(), [])
  })

  it('undoes only the newest of several restores', async () => {
    const url = await bench.fill(OLD)
    const old = await bench.fingerprint(url)
    const first = await replace(url, SMALL)
    const second = await replace(url, NEW)
    const refusal = await rejectsWith('UNDO_NOT_POSSIBLE', undo(bench.parts(url), first.kept, allow, never))
    assert.match(refusal.hint ?? '', /undo that one first/)
    await undo(bench.parts(url), second.kept, allow, never)
    await same(url, first.fingerprint)
    await undo(bench.parts(url), first.kept, allow, never)
    await same(url, old)
  })

  it('takes back everything if a step fails for good, and names it', async () => {
    const url = await bench.fill(OLD)
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, NEW)
    // what can be created only while something is there that is not in the backup
    const shadow = `holdfast_new_${staged.operationId.replaceAll('-', '')}`
    await bench.server.sql(
      shadow,
      'CREATE VIEW broken AS SELECT year FROM parents; RENAME TABLE history TO x',
    )
    await bench.server.sql(shadow, 'CREATE VIEW broken_too AS SELECT id FROM x; RENAME TABLE x TO history')
    const failure = await rejectsWith('TOOL_FAILED', swap(bench.parts(url), staged.ticket, allow, never))
    assert.match(failure.message, /broken_too/)
    await same(url, before)
    assert.deepEqual(await bench.leftovers(), [shadow])
    await bench.server.sql(shadow, 'DROP VIEW broken, broken_too')
    await swap(bench.parts(url), staged.ticket, allow, never)
    await same(url, staged.fingerprint)
  })

  it('replaces a schema with a view that nobody can open, and says that undo may not bring it back', async () => {
    const url = await bench.fill({
      sql: 'CREATE TABLE t (a INT); CREATE TABLE u (a INT); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t',
    })
    const staged = await bench.stage(url, NEW)
    const { replaced, warnings } = await swap(bench.parts(url), staged.ticket, allow, never)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /the view v /)
    await undo(bench.parts(url), replaced?.ticket ?? '', allow, never)
    assert.deepEqual(await bench.server.sql(mysqlSchemaOf(url), 'SHOW TABLES'), [
      { [`Tables_in_${mysqlSchemaOf(url)}`]: 'u' },
    ])
  })

  it('changes nothing if it could not put back what is there', async () => {
    const url = await bench.fill({
      sql: `${SMALL.sql}; CREATE PROCEDURE p () DO 0; CREATE VIEW v AS SELECT a FROM small`,
    })
    const before = await bench.fingerprint(url)
    const staged = await bench.stage(url, SMALL)
    const poor = await bench.server.createAccount({
      grants: [
        'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, CREATE VIEW, SHOW VIEW, TRIGGER, EVENT, CREATE ROUTINE, ALTER ROUTINE, EXECUTE ON *.*',
      ],
    })
    const parts = bench.parts(bench.server.urlOf(mysqlSchemaOf(url), poor))
    const failure = await rejectsWith('RESTORE_NOT_POSSIBLE', swap(parts, staged.ticket, allow, never))
    assert.match(failure.message, /nothing was changed/)
    await same(url, before)
  })

  it('knows where it is without the privilege to see ids of tables', async () => {
    const url = await bench.fill(SMALL)
    const old = await bench.fingerprint(url)
    const poor = await bench.server.createAccount({
      grants: ['ALL ON `shop %`.*', 'ALL ON `holdfast\\_%`.*'],
    })
    const parts = bench.parts(bench.server.urlOf(mysqlSchemaOf(url), poor))
    const staged = await bench.stage(url, { sql: 'CREATE TABLE other (a INT)' })
    const { replaced } = await swap(parts, staged.ticket, allow, never)
    const ticket = replaced?.ticket ?? assert.fail()
    assert.equal(JSON.parse(ticket).tableIds, null)
    await undo(parts, ticket, allow, never)
    await undo(parts, ticket, allow, never)
    await same(url, old)
    assert.equal((await bench.leftovers()).length, 1)
    assert.equal((await removeLeftovers(parts, async () => true, never)).length, 1)
    assert.deepEqual(await bench.leftovers(), [])
  })

  it('refuses foreign keys from elsewhere by name', async () => {
    const url = await bench.fill(OLD)
    const schema = mysqlSchemaOf(url)
    const staged = await bench.stage(url, NEW)
    const other = await bench.server.createDatabase('other')
    await bench.server.sql(
      'other',
      `CREATE TABLE c (id INT, CONSTRAINT pointing FOREIGN KEY (id) REFERENCES ${mysqlName(schema)}.parents (id))`,
    )
    const incoming = await rejectsWith(
      'RESTORE_NOT_POSSIBLE',
      swap(bench.parts(url), staged.ticket, allow, never),
    )
    assert.match(incoming.message, /pointing of other\.c on parents/)
    await bench.server.sql(null, `DROP DATABASE ${mysqlSchemaOf(other)}`)
  })

  it('drops what is its own, and nothing that only looks like it', async () => {
    const url = await bench.fill(SMALL)
    const operations = [randomUUID(), randomUUID(), randomUUID()]
    const [foreign, empty, running] = operations.map((id) => `holdfast_new_${id.replaceAll('-', '')}`)
    for (const name of [foreign, empty]) await bench.server.createDatabase(name)
    await bench.server.sql(foreign ?? '', 'CREATE TABLE theirs (a INT)')
    const staged = await bench.stage(url, SMALL)
    const { kept } = await replace(url, SMALL)
    const isOver = async (id: string) => id !== staged.operationId
    const removed = await removeLeftovers(bench.parts(url), isOver, never)
    assert.deepEqual(
      removed.map((place) => place.split('/').at(-1)),
      [empty],
    )
    await discardStaged(bench.parts(url), operations[0] ?? '')
    assert.ok((await bench.leftovers()).includes(foreign ?? ''))
    assert.equal((await bench.leftovers()).includes(running ?? ''), false)
    await removeReplaced(bench.parts(url), kept)
    await discardStaged(bench.parts(url), staged.operationId)
    assert.deepEqual(await bench.leftovers(), [foreign])
  })

  it.each(['a`b', '-x', 'it\'s "x"', 'ä%', 'a/b\\c'])(
    'exchanges a schema and tables that are called %s',
    async (name) => {
      const table = mysqlName(`${name}+`)
      const sql = `CREATE TABLE ${table} (a INT); INSERT INTO ${table} VALUES (1);
        CREATE TRIGGER ${table} BEFORE INSERT ON ${table} FOR EACH ROW SET NEW.a = 2; CREATE VIEW v AS SELECT a FROM ${table};
        CREATE PROCEDURE ${table} () SELECT 1;`
      const url = await bench.fill({ sql }, name)
      const old = await bench.fingerprint(url)
      const { kept, fingerprint } = await replace(url, {
        sql: `${sql} INSERT INTO ${table} VALUES (7); DROP PROCEDURE ${table}`,
      })
      await same(url, fingerprint)
      await undo(bench.parts(url), kept, allow, never)
      await same(url, old)
      await bench.server.sql(null, `DROP DATABASE ${mysqlName(name)}`)
    },
  )
})

/** Foreign keys hold where the tables are now. */
async function requireKeys(bench: SwapBench, schema: string, parent: number): Promise<void> {
  await assert.rejects(bench.server.sql(schema, 'INSERT INTO children VALUES (9, 7, 0)'), /foreign key/)
  await assert.rejects(bench.server.sql(schema, `DELETE FROM parents WHERE id = ${parent}`), /foreign key/)
}
