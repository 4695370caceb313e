import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { MARIADB, MYSQL } from '../flavours.ts'
import { canDumpEvents, dumpArguments } from './dump-arguments.ts'

const ALWAYS = [
  '--single-transaction',
  '--quick',
  '--routines',
  '--triggers',
  '--events',
  '--hex-blob',
  '--tz-utc',
  '--skip-add-locks',
  '--default-character-set=utf8mb4',
  '--max-allowed-packet=1G',
  '--comments',
  '--dump-date',
]

function argumentsFor(flavour: typeof MARIADB, version: number, change: { readonly history?: boolean } = {}) {
  const args = dumpArguments({
    ...{ server: { flavour }, version, schema: 'shop', leftOut: [], history: change.history ?? false },
  })
  assert.deepEqual(args.slice(0, ALWAYS.length), ALWAYS)
  assert.deepEqual(args.slice(-2), ['--', 'shop'])
  return args.slice(ALWAYS.length, -2)
}

describe('the arguments of the dump program', () => {
  it.each([
    ['MariaDB 10.5', MARIADB, 100_529, false, ['--no-tablespaces']],
    ['MariaDB 10.6', MARIADB, 100_623, false, ['--no-tablespaces']],
    ['MariaDB 10.11', MARIADB, 101_119, true, ['--no-tablespaces', '--dump-history']],
    ['MariaDB 10.11 on an older server', MARIADB, 101_119, false, ['--no-tablespaces']],
    ['MariaDB 11.4', MARIADB, 110_408, true, ['--no-tablespaces', '--dump-history']],
    ['MySQL 5.7', MYSQL, 50_744, false, ['--set-gtid-purged=OFF', '--no-tablespaces']],
    [
      'MySQL 8.0',
      MYSQL,
      80_043,
      false,
      ['--set-gtid-purged=OFF', '--no-tablespaces', '--column-statistics=0'],
    ],
    [
      'MySQL 8.4',
      MYSQL,
      80_406,
      false,
      ['--set-gtid-purged=OFF', '--no-tablespaces', '--column-statistics=0'],
    ],
    [
      'MySQL 9.x',
      MYSQL,
      90_400,
      false,
      ['--set-gtid-purged=OFF', '--no-tablespaces', '--column-statistics=0'],
    ],
  ] as const)('are what that of %s knows', (_name, flavour, version, history, expected) => {
    assert.deepEqual(argumentsFor(flavour, version, { history }), expected)
  })

  it('name a schema, and what is left out of it, in ways that nothing can be read into', () => {
    const args = dumpArguments({
      ...{ server: { flavour: MARIADB }, version: 101_119, history: false },
      schema: '-x; $(id)',
      leftOut: ['--all-databases', 'a.b`c'],
    })
    assert.deepEqual(args.slice(-4), [
      '--ignore-table=-x; $(id).--all-databases',
      '--ignore-table=-x; $(id).a.b`c',
      '--',
      '-x; $(id)',
    ])
  })

  it.each(["it's", 'a"b', 'a\\b'])(
    'ask for no events of the schema %s, for which programs fail',
    (schema) => {
      const args = dumpArguments({
        ...{ server: { flavour: MARIADB }, version: 101_119, history: false, leftOut: [] },
        schema,
      })
      assert.ok(!args.includes('--events'))
      assert.equal(args.at(-1), schema)
    },
  )

  it('ask for no events where one holds what programs never find a delimiter for', () => {
    const event = { kind: 'event', createSql: "CREATE EVENT `e` DO SET @a = ';;'" } as const
    assert.equal(canDumpEvents('shop', [event]), false)
    assert.equal(canDumpEvents('shop', [{ ...event, kind: 'procedure' }]), true)
    const of = { server: { flavour: MARIADB }, version: 101_119, history: false, leftOut: [], schema: 'shop' }
    assert.ok(dumpArguments(of).includes('--events'))
    assert.ok(!dumpArguments({ ...of, events: false }).includes('--events'))
  })

  it('never name several databases', () => {
    for (const flavour of [MARIADB, MYSQL]) {
      const args = dumpArguments({
        server: { flavour },
        version: 999_999,
        schema: 'shop',
        leftOut: [],
        history: true,
      })
      assert.ok(
        !args.some((argument) => /databases|force|lock-all|master|source-data/.test(argument)),
        String(args),
      )
    }
  })
})
