import { describe, expect, it } from 'vitest'
import { MARIADB, MYSQL } from '../flavours.ts'
import { RecordedSession } from '../testing/recorded-session.ts'
import { createProgram } from './create-program.ts'
import { readSchema } from './read-schema.ts'

const COMMON = { definer: 'app@%', sqlMode: 'NO_AUTO_CREATE_USER,STRICT_TRANS_TABLES,ANSI_QUOTES' }
const UTF8 = { charset: 'utf8mb4', collation: 'utf8mb4_0900_ai_ci', databaseCollation: 'utf8mb4_0900_ai_ci' }
const TABLE = [
  'CREATE TABLE `t` (',
  '  `id` int NOT NULL AUTO_INCREMENT,',
  '  `hidden` int DEFAULT NULL /*!80023 INVISIBLE */,',
  '  `made` datetime DEFAULT (now()),',
  '  `sum` int GENERATED ALWAYS AS ((`id` + 1)) VIRTUAL,',
  '  PRIMARY KEY (`id`)',
  ') ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci',
].join('\n')

const column = (name: string, extra: string, expression = '', defaultValue: string | null = null) => ({
  ...{
    tableName: 't',
    name,
    dataType: 'int',
    columnType: 'int',
    nullable: 'YES',
    extra,
    expression,
    defaultValue,
  },
})

/** As MySQL 8.0 answers, according to its manual. */
const ANSWERS = {
  'SELECT DEFAULT_CHARACTER_SET_NAME': [{ charset: 'utf8mb4', collation: 'utf8mb4_0900_ai_ci', comment: '' }],
  'SELECT t.TABLE_NAME': [
    {
      ...{ name: 't', type: 'BASE TABLE', engine: 'InnoDB', transactional: 'YES', rowFormat: 'Dynamic' },
      ...{ collation: 'utf8mb4_0900_ai_ci', estimatedRows: '6', sizeBytes: '16384' },
    },
  ],
  'SELECT TABLE_NAME AS tableName': [
    column('id', 'auto_increment'),
    column('hidden', 'INVISIBLE'),
    column('made', 'DEFAULT_GENERATED', '', 'now()'),
    column('sum', 'VIRTUAL GENERATED', '(`id` + 1)'),
  ],
  'SHOW CREATE TABLE': [{ Table: 't', 'Create Table': Buffer.from(TABLE) }],
  'SELECT LOWER(ROUTINE_TYPE)': [{ kind: 'function', name: 'f', ...COMMON, ...UTF8 }],
  "SELECT 'trigger'": [
    { kind: 'trigger', name: 'a', ...COMMON, ...UTF8, tableName: 't', slot: 'BEFORE INSERT' },
    { kind: 'trigger', name: 'b', ...COMMON, ...UTF8, tableName: 't', slot: 'BEFORE INSERT' },
    { kind: 'trigger', name: 'c', ...COMMON, ...UTF8, tableName: 't', slot: 'BEFORE UPDATE' },
  ],
  'SHOW CREATE FUNCTION': [
    {
      'Create Function': Buffer.from(
        'CREATE DEFINER="app"@"%" FUNCTION "f"() RETURNS int\n    DETERMINISTIC\nRETURN 1',
      ),
    },
  ],
  'SHOW CREATE TRIGGER': [
    {
      'SQL Original Statement': Buffer.from(
        'CREATE DEFINER="app"@"%" TRIGGER "x" BEFORE INSERT ON "t" FOR EACH ROW SET @a = 1',
      ),
    },
  ],
}

describe('a schema of MySQL', () => {
  it('is read as the server tells it', async () => {
    const session = new RecordedSession(MYSQL, 80_036, ANSWERS)
    const { comment, tables, programs } = await readSchema(session, 'shop')
    expect(comment).toBe('')
    expect(session.asked.some((sql) => sql.includes('SCHEMA_COMMENT'))).toBe(false)
    expect(tables).toMatchObject([
      { name: 't', kind: 'table', versioned: false, createSql: TABLE, sequenceDefaults: [] },
    ])
    expect(tables[0]?.columns.map(({ name, isGenerated }) => [name, isGenerated])).toEqual([
      ['id', false],
      ['hidden', false],
      ['made', false],
      ['sum', true],
    ])
    expect(programs.map(({ name, orderedAfter }) => [name, orderedAfter])).toEqual([
      ['f', null],
      ['a', null],
      ['b', 'a'],
      ['c', null],
    ])
  })

  it('is refused if a definition is hidden from the account', async () => {
    const session = new RecordedSession(MYSQL, 80_036, {
      ...ANSWERS,
      'SHOW CREATE FUNCTION': [{ Function: 'f', 'Create Function': null }],
    })
    await expect(readSchema(session, 'shop')).rejects.toMatchObject({
      code: 'DATABASE_ACCESS_DENIED',
      message: expect.stringContaining('function f'),
    })
  })

  it('comes without the modes that a newer server refuses', async () => {
    const [f] = (await readSchema(new RecordedSession(MYSQL, 50_744, ANSWERS), 'shop')).programs
    if (f === undefined) throw new Error('nothing was read')
    const place = { schema: 'shop', definer: { account: 'owner@localhost' } }
    const modes = async (session: RecordedSession) => {
      await createProgram(session, f, place)
      expect(session.asked).toContain(
        'CREATE DEFINER=`owner`@`localhost` FUNCTION "f"() RETURNS int\n    DETERMINISTIC\nRETURN 1',
      )
      return session.asked.find((sql) => sql.includes('STRICT'))
    }
    expect(await modes(new RecordedSession(MYSQL, 80_400))).toContain(
      "sql_mode = 'STRICT_TRANS_TABLES,ANSI_QUOTES'",
    )
    expect(await modes(new RecordedSession(MYSQL, 50_744))).toContain('NO_AUTO_CREATE_USER')
    expect(await modes(new RecordedSession(MARIADB, 101_119))).toContain('NO_AUTO_CREATE_USER')
  })
})
