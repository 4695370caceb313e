import { describe, expect, it } from 'vitest'
import { MARIADB, MYSQL } from '../flavours.ts'
import type { Program, TableObject } from '../schema/schema-objects.ts'
import type { FoundContents } from './compare-contents.ts'
import { compareContents } from './compare-contents.ts'
import type { Contents } from './contents-file.ts'
import { definitionDigest, readContents, writeContents } from './contents-file.ts'

const TABLE: TableObject = {
  ...{ name: 't', kind: 'table', engine: 'InnoDB', isTransactional: true, versioned: false, rowFormat: null },
  ...{ collation: null, columns: [], sequenceDefaults: [], estimatedRows: 2, sizeBytes: 0 },
  createSql: 'CREATE TABLE `t` (\n  `a` int DEFAULT nextval(`src`.`s`)\n) ENGINE=InnoDB AUTO_INCREMENT=3',
}
const VIEW: Program = {
  ...{
    kind: 'view',
    name: 'v',
    encoding: 'utf8',
    definer: 'a@%',
    sqlMode: '',
    charset: 'utf8',
    collation: 'utf8_bin',
  },
  ...{
    databaseCollation: null,
    timeZone: null,
    createdAt: null,
    table: null,
    orderedAfter: null,
    grants: [],
  },
  createSql:
    'CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` AS select `src`.`f`(1) AS `x`',
}
const EVENT: Program = { ...VIEW, kind: 'event', name: 'e', createSql: 'CREATE DEFINER=`a`@`%` EVENT `e` …' }

const EXPECTED: Contents = {
  ...{
    version: 1,
    schema: 'src',
    flavour: 'MariaDB',
    serverVersion: 101_119,
    charset: 'utf8mb4',
    collation: 'x',
  },
  ...{ comment: '', lowerCaseTableNames: 0, counting: 'exact', reason: null, history: true, leftOut: null },
  ...{
    definers: { existing: ['a@%'], missing: [] },
    collations: [],
    engines: ['InnoDB'],
    largestStatementBytes: 9,
  },
  tables: [
    {
      name: 't',
      kind: 'table',
      engine: 'InnoDB',
      rows: 2,
      digest: '77',
      definition: definitionDigest(TABLE, 'src'),
    },
  ],
  programs: [VIEW, EVENT],
}

const inCopy = <Thing extends { createSql: string }>(thing: Thing): Thing => ({
  ...thing,
  createSql: thing.createSql.replaceAll('`src`.', '`copy`.').replace('=3', '=99'),
})
const FOUND: FoundContents = {
  schema: 'copy',
  server: { flavour: MARIADB, version: 101_119, versionText: '' },
  objects: {
    ...{ charset: 'utf8mb4', collation: 'x', comment: '' },
    tables: [inCopy(TABLE)],
    programs: [{ ...inCopy(VIEW), charset: 'utf8mb3', collation: 'utf8mb3_bin' }],
  },
  counted: new Map([['t', { rows: 2, digest: '77', changingFloats: [] }]]),
  ignoresCase: false,
}
const OPTIONS = { definer: 'keep', withoutEvents: true } as const

const withTable = (change: Partial<TableObject>): FoundContents => ({
  ...FOUND,
  objects: { ...FOUND.objects, tables: FOUND.objects.tables.map((table) => ({ ...table, ...change })) },
})
const withView = (change: Partial<Program>): FoundContents => ({
  ...FOUND,
  objects: { ...FOUND.objects, programs: FOUND.objects.programs.map((view) => ({ ...view, ...change })) },
})
const withCount = (rows: number, digest: string): FoundContents => ({
  ...FOUND,
  counted: new Map([['t', { rows, digest, changingFloats: [] }]]),
})

describe('compareContents', () => {
  it('finds nothing where all is as it was, under another name', () => {
    expect(compareContents(EXPECTED, FOUND, OPTIONS)).toEqual({ differences: [], warnings: [] })
    expect(readContents([writeContents(EXPECTED)])).toEqual(EXPECTED)
  })

  it.each<[string, FoundContents, string]>([
    ['a missing table', { ...FOUND, objects: { ...FOUND.objects, tables: [] } }, 'table t is missing'],
    ['another table', withTable({ name: 'T' }), 'table T was not in the source'],
    ['a missing row', withCount(1, '77'), 'table t has 1 rows, the source had 2'],
    ['another row', withCount(2, '78'), 'table t has other contents than the source had'],
    [
      'another column',
      withTable({ createSql: 'CREATE TABLE `t` (`b` int)' }),
      'table t is defined in another way',
    ],
    ['a missing program', { ...FOUND, objects: { ...FOUND.objects, programs: [] } }, 'view v is missing'],
    ['another program', withView({ name: 'w' }), 'view w was not in the source'],
    ['another text', withView({ createSql: VIEW.createSql }), 'view v has another definition'],
    ['another definer', withView({ definer: 'b@%' }), 'view v has another definer'],
    ['another setting', withView({ charset: 'latin1' }), 'view v has another character set'],
  ])('names %s', (_, found, difference) => {
    const { differences } = compareContents(EXPECTED, found, OPTIONS)
    expect(differences).toContainEqual(expect.stringContaining(difference))
  })

  it('compares definers with what was asked for', () => {
    const mine = withView({ definer: 'me@%', createSql: inCopy(VIEW).createSql.replace('`a`@', '`me`@') })
    expect(compareContents(EXPECTED, mine, { ...OPTIONS, definer: 'current' }).differences).toEqual([])
    expect(compareContents(EXPECTED, mine, { ...OPTIONS, definer: { account: 'me@%' } }).differences).toEqual(
      [],
    )
    expect(compareContents(EXPECTED, mine, OPTIONS).differences).toEqual(['view v has another definer'])
  })

  it('takes a view for the same whose definer may not read its tables, so that its schema is printed', () => {
    const printed = (sql: string) => ({ createSql: `CREATE VIEW \`v\` AS select ${sql} from \`t\`` })
    const source = { ...EXPECTED, programs: [{ ...VIEW, ...printed('`src`.`t`.`a`') }] }
    const found = withView(printed('`t`.`a`'))
    expect(compareContents(source, found, { ...OPTIONS, definer: 'current' }).differences).toEqual([])
    expect(compareContents(source, withView(printed('`src`.`t`.`a`')), OPTIONS).differences).toHaveLength(1)
  })

  it('wants events where they may be', () => {
    const { differences } = compareContents(EXPECTED, FOUND, { ...OPTIONS, withoutEvents: false })
    expect(differences).toEqual(['event e is missing'])
  })

  it('takes no count that is not exact for a difference', () => {
    const estimated = { ...EXPECTED, counting: 'estimate', reason: 'commits went on' } as const
    expect(compareContents(estimated, withCount(9, '1'), OPTIONS).differences).toEqual([])
    const loose = { ...EXPECTED, tables: EXPECTED.tables.map((table) => ({ ...table, digest: null })) }
    expect(compareContents(loose, withCount(9, '1'), OPTIONS)).toEqual({
      differences: [],
      warnings: ['table t has 9 rows, the source had 2'],
    })
  })

  it('compares no texts of servers that print them in different ways', () => {
    const other = {
      ...withTable({ createSql: 'CREATE TABLE t (b int)' }),
      server: { flavour: MYSQL, version: 80_036, versionText: '' },
    }
    const { differences, warnings } = compareContents(EXPECTED, other, OPTIONS)
    expect(differences).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('not of the same series')])
    const patched = { ...other, server: { ...FOUND.server, version: 101_120 } }
    expect(compareContents(EXPECTED, patched, OPTIONS)).toEqual({
      differences: [],
      warnings: ['table t is defined in another way than in the source'],
    })
  })

  it('refuses a list of contents that it cannot have written', () => {
    const attachment = (content: string) => [{ role: 'contents', format: 'json', content } as const]
    expect(() => readContents([])).toThrow('is missing')
    expect(() => readContents(attachment('{'))).toThrow('is no JSON')
    expect(() => readContents(attachment('{"version":2}'))).toThrow('unknown version')
    expect(() => readContents(attachment(JSON.stringify({ ...EXPECTED, tables: [{}] })))).toThrow('/tables/0')
  })
})
