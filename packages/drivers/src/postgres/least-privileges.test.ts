import assert from 'node:assert/strict'
import { allow, never, rejectsWith } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { blockOf, PASSWORD, PrivilegesBench } from './testing/privileges-bench.ts'

let bench: PrivilegesBench

beforeAll(async () => {
  bench = await PrivilegesBench.make()
})

afterAll(() => bench?.remove())

describe('the privileges to back up', () => {
  beforeAll(() => bench.run('To back up', 'pg_read_all_data'))

  it('are those that the document grants', async () => {
    const url = bench.as('holdfast_backup')
    await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp())
    await bench.run('To back up', 'GRANT CONNECT')
    assert.equal((await bench.driver(url).inspect(never)).details.owner, 'shop_owner')
    for (const { name: format } of bench.factory.formats) {
      const { rowCounts } = await bench.backUp(url, { format })
      assert.deepEqual(rowCounts, { 'private.parts': 20, 'public.items': 20 }, format)
    }
    const names = await bench.factory.servers?.databases(
      bench.as('holdfast_backup', ''),
      bench.place.context,
      never,
    )
    assert.deepEqual(names, ['postgres', 'sales', 'shop'])
  })

  it('suffice for globals with passwords', async () => {
    const { attachments } = await bench.backUp(bench.as('holdfast_backup'), { globals: 'with-passwords' })
    assert.match(attachments.find(({ role }) => role === 'globals')?.content ?? '', /SCRAM-SHA-256/)
  })

  it('need BYPASSRLS for tables with row level security', async () => {
    await bench.sql('ALTER TABLE private.parts ENABLE ROW LEVEL SECURITY')
    const { message } = await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp())
    assert.match(message, /row level security hides rows of table parts/)
    await bench.run('To back up', 'BYPASSRLS')
    assert.equal((await bench.backUp()).rowCounts['private.parts'], 20)
    await bench.sql('ALTER TABLE private.parts DISABLE ROW LEVEL SECURITY')
  })

  it('need an exemption for large objects', async () => {
    await bench.sql(`SET ROLE shop_owner; SELECT lo_from_bytea(0, 'content')`)
    const { message } = await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp())
    assert.match(message, /lacks a privilege on large object/)
    await bench.run('To back up', 'lo_compat_privileges')
    assert.equal((await bench.backUp()).rowCounts['large objects'], 1)
  })

  it('are granted by schema before version 14', async () => {
    const { name } = await bench.server.createRole({ name: 'like_13', password: PASSWORD })
    const block = blockOf('To back up', 'IN SCHEMA sales')
    await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp(bench.as(name, 'sales')))
    await bench.sql(block.replaceAll('holdfast_backup', name), 'sales')
    await bench.sql('SET ROLE shop_owner; CREATE TABLE sales.later (id serial)', 'sales')
    assert.deepEqual((await bench.backUp(bench.as(name, 'sales'))).rowCounts, {
      'sales.later': 0,
      'sales.orders': 7,
    })
  })

  it('do not reach what superusers alone may read, which is told', async () => {
    await bench.sql(`CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
       CREATE USER MAPPING FOR shop_owner SERVER far OPTIONS (password 'secret');
       CREATE SUBSCRIPTION news CONNECTION 'dbname=none' PUBLICATION news WITH (connect = false)`)
    const warningsFor = async (url: string) => (await bench.driver(url).inspect(never)).warnings.join('\n')
    const reader = await warningsFor(bench.as('holdfast_backup'))
    assert.match(
      reader,
      /of which a dump by this user has no options: it may not read them: shop_owner of far/,
    )
    assert.match(
      reader,
      /subscriptions, which no dump by this user has: only a superuser may read them: news/,
    )
    assert.match((await bench.backUp()).warnings.join(), /subscriptions are not in the dump/)
    const superuser = await warningsFor(bench.server.urlOf('shop'))
    assert.match(superuser, /passwords are readable in a dump: shop_owner of far/)
    assert.match(
      superuser,
      /passwords are readable in a dump, and which a restored copy does not resume: news/,
    )
    await bench.sql(
      'ALTER SUBSCRIPTION news SET (slot_name = NONE); DROP SUBSCRIPTION news; DROP EXTENSION postgres_fdw CASCADE',
    )
  })
})

describe('the privileges to restore', () => {
  const url = () => bench.as('holdfast_restore')

  beforeAll(() => bench.run('To restore', 'CREATEDB'))

  it('let the database be replaced under its clients, undone and removed', async () => {
    const dump = await bench.wholeShop()
    await bench.sql('DELETE FROM private.parts')
    const applications = [
      { name: 'shop_owner', password: PASSWORD },
      { name: 'reader', password: PASSWORD },
    ]
    const counted = () => bench.sql('SELECT count(*)::int AS rows FROM private.parts')
    for (const application of applications) {
      const replaced = await bench.whileConnected(application, () => bench.restore(dump, url()))
      assert.deepEqual([await counted(), await bench.ownerOf('shop')], [[{ rows: 20 }], 'shop_owner'])
      assert.equal((await bench.ownDatabases()).length, 1)
      await bench.driver(url()).undo(replaced, allow, never)
      assert.deepEqual([await counted(), await bench.ownDatabases()], [[{ rows: 0 }], []])
    }
    await bench.driver(url()).removeReplaced(await bench.restore(dump, url()))
    assert.deepEqual(await bench.ownDatabases(), [])
  })

  it('let a database be made that belongs to the owner of the source', async () => {
    await bench.restore(await bench.wholeShop(), bench.as('holdfast_restore', 'shop_copy'))
    assert.equal(await bench.ownerOf('shop_copy'), 'shop_owner')
    const [row] = await bench.sql(`SELECT tableowner FROM pg_tables WHERE tablename = 'items'`, 'shop_copy')
    assert.deepEqual(row, { tableowner: 'shop_owner' })
    await bench.sql('DROP DATABASE shop_copy', 'postgres')
  })

  it('include the ending of sessions', async () => {
    const dump = await bench.wholeShop()
    await bench.sql('REVOKE pg_signal_backend FROM holdfast_restore', 'postgres')
    const reader = { name: 'reader', password: PASSWORD }
    const { message } = await rejectsWith(
      'DATABASE_LOCKED',
      bench.whileConnected(reader, () => bench.restore(dump, url())),
    )
    assert.match(message, /in use .* \(user reader, application unknown\)/)
    assert.deepEqual(await bench.ownDatabases(), [])
    await bench.sql('GRANT pg_signal_backend TO holdfast_restore', 'postgres')
    await rejectsWith(
      'DATABASE_LOCKED',
      bench.whileConnected(bench.server.superuser, () => bench.restore(dump, url())),
    )
    assert.deepEqual(await bench.ownDatabases(), [])
  })

  it('include membership in the owners, unless these are left out', async () => {
    const dump = await bench.wholeShop()
    const { name } = await bench.server.createRole({
      name: 'stranger',
      password: PASSWORD,
      attributes: 'CREATEDB',
    })
    const { message } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.restore(dump, bench.as(name)))
    assert.match(message, /stranger does not own the database shop/)
    const copy = bench.as(name, 'copy')
    const { message: told } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.restore(dump, copy))
    assert.match(told, /stranger may not give a database to shop_owner/)
    assert.deepEqual(await bench.ownDatabases(), [])
    await bench.restore(dump, copy, { keepOwners: false, definer: null })
    assert.equal(await bench.ownerOf('copy'), name)
    await bench.sql('DROP DATABASE copy', 'postgres')
  })

  it('are not enough for what the document says only superusers can restore', async () => {
    const copy = bench.as('holdfast_restore', 'copy')
    const cases = [
      ['CREATE EXTENSION pageinspect', 'DROP EXTENSION pageinspect', 'RESTORE_NOT_POSSIBLE'],
      [
        'GRANT CREATE ON SCHEMA public TO reader; SET ROLE reader; CREATE TABLE public.theirs ()',
        'DROP TABLE public.theirs; REVOKE CREATE ON SCHEMA public FROM reader',
        'DATABASE_ACCESS_DENIED',
      ],
      [
        `ALTER ROLE reader IN DATABASE shop SET work_mem = '6MB'`,
        'ALTER ROLE reader IN DATABASE shop RESET ALL',
        'DATABASE_ACCESS_DENIED',
      ],
      [
        'ALTER DATABASE shop SET log_min_duration_statement = 5',
        'ALTER DATABASE shop RESET log_min_duration_statement',
        'DATABASE_ACCESS_DENIED',
      ],
      [
        'ALTER TABLE private.parts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
        'ALTER TABLE private.parts DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY',
        'DATABASE_ACCESS_DENIED',
      ],
    ] as const
    await bench.sql('GRANT reader TO holdfast_restore', 'postgres')
    for (const [change, back, code] of cases) {
      await bench.sql(change)
      const dump = await bench.wholeShop()
      await rejectsWith(code, bench.restore(dump, copy))
      assert.deepEqual(await bench.ownDatabases(), [], change)
      await bench.restore(dump, bench.server.urlOf('copy'))
      await bench.sql('DROP DATABASE copy', 'postgres')
      await bench.sql(back)
    }
  })

  it('are ownership of an empty database without CREATEDB', async () => {
    await bench.run('Without CREATEDB', 'CREATE DATABASE shop_copy')
    const { message } = await rejectsWith(
      'RESTORE_NOT_POSSIBLE',
      bench.restore(await bench.wholeShop(), bench.as('shop_owner', 'nowhere')),
    )
    assert.match(message, /may not create databases, and nowhere does not exist/)
    await bench.restore(await bench.wholeShop(), bench.as('shop_owner', 'shop_copy'))
    assert.equal((await bench.backUp(bench.server.urlOf('shop_copy'))).rowCounts['private.parts'], 20)
    await bench.sql('DROP DATABASE shop_copy', 'postgres')
  })
})

describe('the privileges to drill', () => {
  beforeAll(() => bench.run('To drill', 'CREATEDB'))

  it('prove a backup without the roles of its source', async () => {
    const { valid, message, rowCounts } = await bench.drill(await bench.wholeShop())
    assert.ok(valid, message)
    assert.match(message, /owners, privileges and row security were left out/)
    assert.equal(rowCounts?.['private.parts'], 20)
    assert.deepEqual(await bench.ownDatabases(), [])
  })

  it('do not need what superusers alone can create and no row depends on', async () => {
    await bench.sql(`CREATE FUNCTION noticed() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
       CREATE EVENT TRIGGER noticed ON ddl_command_end EXECUTE FUNCTION noticed();
       CREATE PUBLICATION everything FOR ALL TABLES`)
    assert.ok((await bench.drill(await bench.wholeShop())).valid)
    await bench.sql('DROP EVENT TRIGGER noticed; DROP FUNCTION noticed(); DROP PUBLICATION everything')
  })

  it('do not need to see hidden rows, since what hides them is left out', async () => {
    await bench.sql('ALTER TABLE private.parts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY')
    const { valid, message } = await bench.drill(await bench.wholeShop())
    assert.ok(valid, message)
    await bench.sql('ALTER TABLE private.parts DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY')
  })

  it('do not suffice for scripts, in which owners are part of the text', async () => {
    const dump = await bench.wholeShop({ format: 'plain' })
    const { message } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.drill(dump))
    assert.match(message, /is no member of .*shop_owner/)
  })
})
