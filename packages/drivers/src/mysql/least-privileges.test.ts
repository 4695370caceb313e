import assert from 'node:assert/strict'
import { allow, never, rejectsWith } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { PrivilegesBench } from './testing/privileges-bench.ts'

let bench: PrivilegesBench

beforeAll(async () => {
  bench = await PrivilegesBench.make()
})

afterAll(() => bench?.remove())

describe('the privileges to back up', () => {
  beforeAll(() => bench.run('To back up', 'ON shop.*'))

  it('are refused without the bodies of routines, and suffice with them', async () => {
    const { message } = await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp())
    assert.match(message, /routines/)
    await bench.run('To back up', 'mysql.proc')
    const { rowCounts, counting } = await bench.backUp()
    assert.deepEqual({ rowCounts, counting }, { rowCounts: { items: 20, parts: 20 }, counting: 'exact' })
  })

  it('let a target be checked, and its server be listed', async () => {
    const { warnings } = await bench.driver(bench.as('holdfast_backup')).inspect(never)
    assert.match(warnings.join(), /may not read mysql.user/)
    const { context } = bench.place
    const names = await bench.factory.servers?.databases(bench.as('holdfast_backup', null), context, never)
    assert.deepEqual(names, ['shop'])
  })

  it('need accounts for globals', async () => {
    const globals = { globals: 'with-passwords' } as const
    await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp(bench.as('holdfast_backup'), globals))
    await bench.run('To back up', 'mysql.*')
    const { attachments } = await bench.backUp(bench.as('holdfast_backup'), globals)
    assert.match(attachments.find(({ role }) => role === 'globals')?.content ?? '', /shop_owner/)
  })

  it('need RELOAD for a brief lock', async () => {
    const url = `${bench.as('holdfast_backup')}?brief_lock=on`
    const { message } = await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp(url))
    assert.match(message, /RELOAD/)
    await bench.run('To back up', 'RELOAD')
    assert.equal((await bench.backUp(url)).counting, 'exact')
  })

  it.each(['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'])('do not suffice without %s', async (privilege) => {
    await bench.server.sql(null, `REVOKE ${privilege} ON shop.* FROM holdfast_backup`)
    const { message } = await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp())
    assert.match(message, new RegExp(privilege))
    await bench.server.sql(null, `GRANT ${privilege} ON shop.* TO holdfast_backup`)
  })
})

describe('the privileges to restore', () => {
  const url = () => bench.as('holdfast_restore')

  beforeAll(() => bench.run('To restore', 'CREATE USER'))

  it('let everything be restored as the user itself', async () => {
    const dump = await bench.wholeShop()
    const copy = bench.as('holdfast_restore', 'holdfast_copy')
    await bench.restore(dump, copy, { keepOwners: false, definer: null })
    assert.deepEqual(await bench.definersIn('holdfast_copy'), ['holdfast_restore@%'])
    await bench.server.sql(null, 'DROP DATABASE holdfast_copy')
    // without PROCESS nothing else tells whether it has happened
    assert.equal((await bench.ownDatabases()).length, 1)
    await bench.driver(url()).removeLeftovers(async () => true, never)
    assert.deepEqual(await bench.ownDatabases(), [])
  })

  it('let the database be replaced, undone and removed, with the right to name definers', async () => {
    const dump = await bench.wholeShop()
    await bench.server.sql('shop', 'DELETE FROM parts; CREATE OR REPLACE VIEW named AS SELECT 1 AS one')
    const { message } = await rejectsWith('RESTORE_NOT_POSSIBLE', bench.restore(dump, url()))
    assert.match(message, /SET USER/)
    await bench.run('To restore', 'SET USER')
    await bench.run('To restore', 'PROCESS')
    const ticket = await bench.restore(dump, url())
    assert.deepEqual(await bench.definersIn('shop'), ['shop_owner@%'])
    assert.equal((await bench.server.sql('shop', 'SELECT * FROM parts')).length, 20)
    await bench.driver(url()).undo(ticket, allow, never)
    assert.equal((await bench.server.sql('shop', 'SELECT * FROM parts')).length, 0)
    await bench.driver(url()).removeReplaced(await bench.restore(dump, url()))
    assert.deepEqual(await bench.ownDatabases(), [])
  })
})

describe('the privileges to drill', () => {
  beforeAll(() => bench.run('To drill', 'CREATE USER'))

  it('let a backup be drilled on the server, and nothing be read there', async () => {
    const report = await bench.drill(await bench.wholeShop())
    assert.deepEqual(
      { valid: report.valid, rowCounts: report.rowCounts },
      { valid: true, rowCounts: { items: 20, parts: 20 } },
      report.message,
    )
    assert.deepEqual(await bench.ownDatabases(), [])
    await rejectsWith('DATABASE_ACCESS_DENIED', bench.backUp(bench.as('holdfast_drill')))
  })
})
