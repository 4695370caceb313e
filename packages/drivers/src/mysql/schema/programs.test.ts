import type { MariadbServer } from '@holdfast/testing'
import { startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { comparePrograms } from '../contents/compare-programs.ts'
import type { Session } from '../session.ts'
import { makePrograms } from '../testing/make-programs.ts'
import { SessionBench } from '../testing/session-bench.ts'
import { createProgram } from './create-program.ts'
import { createStatements, dropStatement, grantStatements } from './program-statements.ts'
import { readSchema } from './read-schema.ts'
import type { Program, SchemaObjects } from './schema-objects.ts'

const KEEP = { definer: 'keep', withTexts: true, ignoresCase: false } as const
const HOSTILE = "CHARACTER SET latin1 COLLATE latin1_german2_ci COMMENT 'it''s'"

describe('programs of a schema', () => {
  const bench = new SessionBench()
  let server: MariadbServer
  let session: Session
  let source: SchemaObjects

  beforeAll(async () => {
    server = await startMariadb({ settings: { 'event-scheduler': 'OFF' } })
    const setup = await bench.open(server.urlOf('mysql'))
    await setup.query(`CREATE DATABASE src ${HOSTILE}`)
    await setup.query('CREATE DATABASE other')
    await setup.query('CREATE TABLE other.o (a INT)')
    await setup.query("CREATE USER reader@'%'")
    await setup.query('CREATE ROLE readers')
    const making = await bench.open(server.urlOf('src'))
    await makePrograms(making)
    await making.query('ALTER DATABASE src COLLATE utf8mb4_unicode_ci')
    await making.query("CREATE FUNCTION later() RETURNS INT RETURN 'ü' < 'z'")
    await making.query("GRANT EXECUTE, ALTER ROUTINE ON FUNCTION src.later TO reader@'%' WITH GRANT OPTION")
    await making.query(
      "SET STATEMENT sql_mode = 'ORACLE' FOR EXECUTE IMMEDIATE 'GRANT EXECUTE ON PACKAGE src.pack TO readers'",
    )
    source = await readSchema(making, 'src')
    await bench.closeAll()
  })
  afterEach(() => bench.closeAll())
  afterAll(() => server.stop())

  const recreate = async (programs: readonly Program[], schema: string, from?: string): Promise<void> => {
    for (const program of programs) {
      await createProgram(session, program, {
        schema,
        definer: 'keep',
        schemaCollation: source.collation,
        ...(from === undefined ? {} : { from }),
      })
    }
  }

  it('are all there, in an order in which they can be created', () => {
    expect(source.programs.map(({ kind, name }) => `${kind} ${name}`)).toMatchInlineSnapshot(`
      [
        "function emoji",
        "function greet",
        "function later",
        "function no_text",
        "function o ra",
        "function one",
        "function total",
        "procedure kanji",
        "package pack",
        "package body pack",
        "trigger on",
        "trigger an si",
        "trigger early",
        "trigger mid",
        "trigger late",
        "view abroad",
        "view z_first",
        "view a_second",
        "view latin",
        "view src_alias",
        "event hourly",
        "event named",
        "event over_long_ago",
      ]
    `)
    expect(source.comment).toBe("it's")
    expect(new Set(source.programs.map(({ databaseCollation }) => databaseCollation))).toEqual(
      new Set(['latin1_german2_ci', 'utf8mb4_unicode_ci', null]),
    )
  })

  it('are the same in every byte and setting when they are made again', async () => {
    session = await bench.open(server.urlOf('src'))
    const settings = await settingsOf(session)
    for (const program of source.programs.toReversed()) await session.query(dropStatement(program))
    expect((await readSchema(session, 'src')).programs).toEqual([])

    await recreate(source.programs, 'src')
    for (const program of source.programs) {
      for (const grant of grantStatements(program, 'src')) await session.query(grant)
    }

    expect((await readSchema(session, 'src')).programs).toEqual(source.programs)
    expect(await readSchema(session, 'src')).toEqual(source)
    expect(await settingsOf(session)).toEqual(settings)
  })

  it('speak of the schema that they are made in, whatever its name', async () => {
    const schema = 'we``i"rd ` ü'
    const setup = await bench.open(server.urlOf('mysql'))
    await setup.query(`CREATE DATABASE \`${schema.replaceAll('`', '``')}\` COLLATE ${source.collation}`)
    session = await bench.open(server.urlOf(schema))
    for (const { createSql, name } of source.tables) {
      const sql = name === 'numbered' ? 'CREATE TABLE numbered (a INT)' : createSql
      await session.query(name === 't' ? 'CREATE TABLE t LIKE src.t' : sql)
    }

    await recreate(source.programs, schema, 'src')

    const copy = await readSchema(session, schema)
    const found = { schema, programs: copy.programs }
    expect(comparePrograms({ schema: 'src', programs: source.programs }, found, KEEP)).toEqual([])
    const named = copy.programs.filter(
      ({ kind, createSql }) => kind === 'view' && createSql.includes('`src`.'),
    )
    // one has an alias of that name, one a text
    expect(named.map(({ name }) => name).toSorted()).toEqual(['src_alias', 'z_first'])
    expect(await session.query('SELECT f FROM latin')).toEqual([{ f: 2 }])
  })

  it('take another definer, a trigger another table', async () => {
    session = await bench.open(server.urlOf('src'))
    for (const program of source.programs) {
      const triggers = program.kind === 'trigger' ? { onTable: 'hid`den' } : {}
      const [, , own] = createStatements(program, {
        schema: 'src',
        definer: { account: 'a@b@%' },
        ...triggers,
      })
      expect(own?.sql).toMatch(/DEFINER=`a@b`@`%`/)
      const [, , current] = createStatements(program, { schema: 'src', definer: 'current', ...triggers })
      expect(current?.sql).not.toMatch(/DEFINER=/)
      if (program.kind === 'trigger') expect(current?.sql).toMatch(/ ON `hid``den` /i)
    }
    await session.query('RENAME TABLE t TO `hid``den`')
    const trigger = source.programs.find(({ name }) => name === 'an si')
    if (trigger === undefined) throw new Error('the fixture has no such trigger')
    await session.query(dropStatement(trigger))
    await createProgram(session, trigger, { schema: 'src', definer: 'current', onTable: 'hid`den' })
    await session.query('RENAME TABLE `hid``den` TO t')
    const { programs } = await readSchema(session, 'src')
    // renaming a table puts its name in quotes in all its triggers
    const found = { schema: 'src', programs }
    expect(comparePrograms({ schema: 'src', programs: source.programs }, found, KEEP)).toEqual([
      'trigger an si has another collation of its schema',
    ])
    expect(programs.find(({ name }) => name === 'an si')).toMatchObject({
      table: 't',
      definer: `${server.administrator.name}@${server.administrator.host}`,
    })
  })

  it('leave the session its settings when they cannot be made', async () => {
    session = await bench.open(server.urlOf('src'))
    const settings = await settingsOf(session)
    const before = await readSchema(session, 'src')
    for (const program of source.programs.filter(({ kind }) => kind !== 'package body')) {
      const again = createProgram(session, program, {
        schema: 'src',
        definer: 'keep',
        schemaCollation: source.collation,
      })
      // this one says that it may be there
      await (program.name === 'on' ? again : expect(again).rejects.toThrow('error'))
      expect(await settingsOf(session)).toEqual(settings)
    }
    expect(await readSchema(session, 'src')).toEqual(before)
  })
})

async function settingsOf(session: Session): Promise<unknown> {
  const [settings] = await session.query(
    `SELECT @@sql_mode, @@character_set_client, @@character_set_results, @@collation_connection, @@time_zone,
       @@collation_database, DATABASE(), ABS(TIMESTAMPDIFF(SECOND, NOW(), SYSDATE())) < 60 AS on_time`,
  )
  return settings
}
