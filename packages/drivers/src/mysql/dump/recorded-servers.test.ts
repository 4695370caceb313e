import assert from 'node:assert/strict'
import { AppError } from '@holdfast/core'
import { rejectsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { MARIADB, MYSQL } from '../flavours.ts'
import { RecordedSession } from '../testing/recorded-session.ts'
import { takeBriefLock } from './brief-lock.ts'
import { dumpGlobals } from './dump-globals.ts'
import { readMark } from './mark.ts'
import { requirePrivileges } from './require-privileges.ts'

/** Lines as MySQL prints them, which is not installed here: written down from its manual and its behaviour. */
function granted(...lines: readonly string[]) {
  return { 'SHOW GRANTS': lines.map((line) => ({ 'Grants for backup@%': line })) }
}

const DENIED = new AppError('DATABASE_ACCESS_DENIED', 'the user of MySQL may not SELECT on proc')
const ENOUGH = 'GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON `shop`.* TO `backup`@`%`'
const NOBODY = 'GRANT USAGE ON *.* TO `backup`@`%`'

describe('the brief lock', () => {
  it.each([
    ['MySQL 8.0', MYSQL, 80_036, ['FLUSH TABLES WITH READ LOCK'], ['UNLOCK TABLES']],
    ['MySQL 5.7', MYSQL, 50_744, ['FLUSH TABLES WITH READ LOCK'], ['UNLOCK TABLES']],
    ['MariaDB', MARIADB, 100_529, ['BACKUP STAGE START', 'BACKUP STAGE BLOCK_COMMIT'], ['BACKUP STAGE END']],
  ] as const)('of %s is its own', async (_name, flavour, version, take, giveBack) => {
    const session = new RecordedSession(flavour, version)
    const lock = await takeBriefLock(session, 1_000)
    await lock.release()
    assert.deepEqual(session.asked.slice(1), [...take, ...giveBack])
  })

  it.each([
    ['MySQL', MYSQL, 80_036, 'FLUSH', 'FLUSH TABLES WITH READ LOCK'],
    ['MariaDB', MARIADB, 101_119, 'BACKUP STAGE BLOCK', 'BACKUP STAGE END'],
  ] as const)(
    'of %s is given up in the end, and nothing is held',
    async (_name, flavour, version, failing, last) => {
      const busy = new AppError('DATABASE_LOCKED', 'another session holds a lock')
      const session = new RecordedSession(flavour, version, { [failing]: busy })
      await rejectsWith('DATABASE_LOCKED', takeBriefLock(session, 1))
      assert.equal(session.asked.at(-1), last)
    },
  )
})

describe('the mark of the history of a server', () => {
  it.each([
    ['MariaDB 10.5', MARIADB, 100_529, 'Innodb_lsn_current'],
    ['MariaDB 11.4', MARIADB, 110_408, 'Innodb_lsn_current'],
    ['MySQL 8.0.30', MYSQL, 80_030, 'Innodb_redo_log_current_lsn'],
    ['MySQL 9.4', MYSQL, 90_400, 'Innodb_redo_log_current_lsn'],
  ] as const)('is in a variable of %s', async (_name, flavour, version, variable) => {
    const answers = {
      [`SHOW GLOBAL STATUS LIKE '${variable}'`]: [{ Variable_name: variable, Value: '52916' }],
    }
    assert.equal(await readMark(new RecordedSession(flavour, version, answers)), '52916')
  })

  it.each([80_029, 50_744])('is not told by MySQL %d', async (version) => {
    assert.equal(await readMark(new RecordedSession(MYSQL, version)), null)
  })
})

describe('privileges', () => {
  const wanted = { schema: 'shop', briefLock: false }

  it.each([
    ['MySQL 8.0 with SHOW_ROUTINE', MYSQL, 80_036, [ENOUGH, 'GRANT SHOW_ROUTINE ON *.* TO `backup`@`%`']],
    ['MySQL 8.0 with SELECT on all', MYSQL, 80_019, [ENOUGH, 'GRANT SELECT ON *.* TO `backup`@`%`']],
    [
      'an account for everything',
      MYSQL,
      80_036,
      ['GRANT ALL PRIVILEGES ON *.* TO `backup`@`%` WITH GRANT OPTION'],
    ],
    [
      'MySQL 5.7 and mysql.proc',
      MYSQL,
      50_744,
      ["GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON `sh\\_op`.* TO 'backup'@'%'", ENOUGH],
    ],
    ['MariaDB 11.4', MARIADB, 110_408, [`${ENOUGH.replace('TRIGGER', 'TRIGGER, SHOW CREATE ROUTINE')}`]],
    [
      'a role',
      MYSQL,
      80_036,
      [NOBODY, 'GRANT `r`@`%` TO `backup`@`%`', ENOUGH, 'GRANT SHOW_ROUTINE ON *.* TO `backup`@`%`'],
    ],
    ['patterns', MYSQL, 80_036, [ENOUGH.replace('shop', 'sh%'), 'GRANT SHOW_ROUTINE ON *.* TO `backup`@`%`']],
  ] as const)('are enough: %s', async (_name, flavour, version, lines) => {
    await requirePrivileges(new RecordedSession(flavour, version, granted(...lines)), wanted)
  })

  it.each([
    [
      'SELECT on one table only',
      80_036,
      [
        'GRANT SELECT, SHOW VIEW, TRIGGER ON `shop`.`orders` TO `backup`@`%`',
        'GRANT EVENT ON `shop`.* TO `backup`@`%`',
      ],
      /lacks SELECT, SHOW VIEW, TRIGGER on/,
    ],
    ['no EVENT', 80_036, [ENOUGH.replace('EVENT, ', '')], /lacks EVENT on/],
    [
      'another schema',
      80_036,
      [ENOUGH.replace('shop', 'sh\\_op')],
      /lacks SELECT, SHOW VIEW, TRIGGER, EVENT on/,
    ],
    [
      'what was taken back',
      80_036,
      [
        'GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON *.* TO `backup`@`%`',
        'REVOKE TRIGGER ON `shop`.* FROM `backup`@`%`',
      ],
      /lacks TRIGGER on/,
    ],
    ['no routines', 80_036, [ENOUGH], /may not see the routines.*SHOW_ROUTINE/],
    ['no routines of MySQL 8.0.19', 80_019, [ENOUGH], /may not see the routines.*SELECT \(global\)/],
    ['no routines of MySQL 5.7', 50_744, [ENOUGH], /may not see the routines.*SELECT on mysql\.proc/],
    [
      'a better fit without privileges',
      80_036,
      [ENOUGH.replace('shop', '%'), 'GRANT INSERT ON `shop`.* TO `backup`@`%`'],
      /lacks SELECT/,
    ],
  ] as const)('are not enough: %s', async (_name, version, lines, message) => {
    const session = new RecordedSession(MYSQL, version, {
      ...granted(...lines),
      'SELECT name, body FROM mysql.proc': DENIED,
    })
    const failure = await rejectsWith('DATABASE_ACCESS_DENIED', requirePrivileges(session, wanted))
    assert.match(failure.message, message)
  })

  it('to list routines are not enough if a body is hidden', async () => {
    const session = new RecordedSession(MYSQL, 80_036, {
      ...granted(ENOUGH.replace('TRIGGER', 'TRIGGER, EXECUTE')),
      'SELECT routine_name': [{ name: 'total' }, { name: 'vat' }],
    })
    const failure = await rejectsWith('DATABASE_ACCESS_DENIED', requirePrivileges(session, wanted))
    assert.match(failure.message, /bodies of routines \(total, vat\).*SHOW_ROUTINE/)
  })

  it.each([
    ['MySQL 8.0', MYSQL, 80_036, 'GRANT RELOAD ON *.* TO `backup`@`%`', true],
    ['MySQL 8.0', MYSQL, 80_036, 'GRANT FLUSH_TABLES ON *.* TO `backup`@`%`', true],
    ['MySQL 8.0.22', MYSQL, 80_022, 'GRANT FLUSH_TABLES ON *.* TO `backup`@`%`', false],
    ['MariaDB', MARIADB, 101_119, NOBODY, false],
  ] as const)('for a brief lock are known: %s %#', async (_name, flavour, version, line, enough) => {
    const lines = [line, ENOUGH, 'GRANT SELECT, SHOW_ROUTINE ON *.* TO `backup`@`%`']
    const asked = requirePrivileges(new RecordedSession(flavour, version, granted(...lines)), {
      ...wanted,
      briefLock: true,
    })
    if (enough) await asked
    else assert.match((await rejectsWith('DATABASE_ACCESS_DENIED', asked)).message, /RELOAD/)
  })
})

const ACCOUNTS = {
  'SELECT user AS user': [
    { user: 'mysql.sys', host: 'localhost', isRole: 'N', defaultRole: '' },
    { user: 'app', host: '10.%', isRole: 'N', defaultRole: '' },
    { user: 'reader', host: '%', isRole: 'N', defaultRole: '' },
  ],
  'SHOW CREATE USER `app`': [
    {
      'CREATE USER for app@10.%':
        "CREATE USER `app`@`10.%` IDENTIFIED WITH 'caching_sha2_password' AS 0x24412430303524 DEFAULT ROLE `reader`@`%` REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT",
    },
  ],
  'SHOW CREATE USER `reader`': [
    {
      'CREATE USER for reader@%':
        "CREATE USER `reader`@`%` IDENTIFIED WITH 'caching_sha2_password' REQUIRE NONE PASSWORD EXPIRE ACCOUNT LOCK PASSWORD HISTORY DEFAULT",
    },
  ],
  'SHOW GRANTS FOR `app`': [
    { g: 'GRANT USAGE ON *.* TO `app`@`10.%`' },
    { g: 'GRANT BACKUP_ADMIN ON *.* TO `app`@`10.%` WITH GRANT OPTION' },
    { g: "GRANT SELECT (`id`) ON `shop`.`it's` TO `app`@`10.%`" },
    { g: 'GRANT EXECUTE ON FUNCTION `shop`.`vat` TO `app`@`10.%`' },
    { g: 'GRANT `reader`@`%` TO `app`@`10.%` WITH ADMIN OPTION' },
  ],
  'SHOW GRANTS FOR `reader`': [{ g: 'GRANT SELECT ON `shop`.* TO `reader`@`%`' }],
}

describe('accounts of MySQL', () => {
  it('become a script that makes them, without their passwords if that is asked for', async () => {
    const session = new RecordedSession(MYSQL, 80_036, ACCOUNTS)
    const [attachment] = await dumpGlobals(session, 'with-passwords')
    const lines = (attachment?.content ?? '').split('\n')
    assert.ok(
      lines.includes(
        "CREATE USER IF NOT EXISTS `app`@`10.%` IDENTIFIED WITH 'caching_sha2_password' AS 0x24412430303524 REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT;",
      ),
    )
    assert.ok(lines.includes('GRANT BACKUP_ADMIN ON *.* TO `app`@`10.%` WITH GRANT OPTION;'))
    assert.ok(lines.includes('GRANT `reader`@`%` TO `app`@`10.%` WITH ADMIN OPTION;'))
    assert.ok(lines.includes('ALTER USER `app`@`10.%` DEFAULT ROLE `reader`@`%`;'))
    assert.ok(
      lines.some((line) =>
        line.includes(
          "table_name = 'it\\'s'), 'GRANT SELECT (`id`) ON `shop`.`it\\'s` TO `app`@`10.%`', 'DO 0')",
        ),
      ),
    )
    assert.ok(lines.some((line) => line.includes("routine_name = 'vat' AND routine_type = 'FUNCTION'")))
    assert.ok(
      lines.indexOf('ALTER USER `app`@`10.%` DEFAULT ROLE `reader`@`%`;') >
        lines.indexOf('GRANT SELECT ON `shop`.* TO `reader`@`%`;'),
    )

    const [locked] = await dumpGlobals(session, 'without-passwords')
    assert.ok(!locked?.content.includes('0x24'))
    assert.match(
      locked?.content ?? '',
      /`app`@`10\.%` IDENTIFIED WITH 'caching_sha2_password' REQUIRE SSL .* ACCOUNT LOCK/,
    )
  })

  it('are refused with a hint to who may not read them', async () => {
    const session = new RecordedSession(MYSQL, 80_036, { 'SELECT user AS user': DENIED })
    await rejectsWith('DATABASE_ACCESS_DENIED', dumpGlobals(session, 'with-passwords'))
  })
})
