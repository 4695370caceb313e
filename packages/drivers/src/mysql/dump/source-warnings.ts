import { quoteName, quoteQualified } from '../quote.ts'
import { mentionsSchema } from '../schema/requalify.ts'
import type { Program, SchemaObjects, TableObject } from '../schema/schema-objects.ts'
import { dialectOf } from '../schema/sql-tokens.ts'
import type { Session } from '../session.ts'
import { someOf } from './describe-names.ts'
import { canDumpEvents, HISTORY_SINCE } from './dump-arguments.ts'
import type { Definers } from './find-definers.ts'
import type { Selection } from './select-tables.ts'

/** Their rows are somewhere else, and dump programs leave them there. */
const ELSEWHERE = [
  'MRG_MYISAM',
  'MRG_ISAM',
  'CONNECT',
  'OQGRAPH',
  'SPIDER',
  'VP',
  'FEDERATED',
  'S3',
  'SPHINX',
]

/** True for tables of which a dump has the definition alone. */
export function isElsewhere({ engine }: TableObject): boolean {
  return engine !== null && ELSEWHERE.includes(engine.toUpperCase())
}

/** True for tables that a snapshot shows at one moment, and of whose changes the log tells. */
export function isInSnapshot({ engine }: TableObject): boolean {
  return engine === 'InnoDB'
}

/** Versioned tables whose history is kept by transactions: a dump program refuses to dump any history beside them. */
export function keepsTransactions({ versioned, columns }: TableObject): boolean {
  return versioned && columns.some(({ isPeriod, dataType }) => isPeriod && dataType === 'bigint')
}

/** What whoever backs up should know of the schema: what a dump has not, or has although it cannot be used. */
export function sourceWarnings(
  { server }: Session,
  schema: string,
  objects: SchemaObjects,
  definers: Definers,
): readonly string[] {
  const tables = objects.tables.filter(({ kind }) => kind === 'table')
  const versioned = tables.filter((table) => table.versioned)
  const hasHistory = server.version >= HISTORY_SINCE && !versioned.some(keepsTransactions)
  return [
    ...about(
      tables.filter((table) => !isInSnapshot(table) && !isElsewhere(table)),
      NOT_IN_SNAPSHOT,
    ),
    ...about(
      tables.filter(isElsewhere),
      'tables whose rows are outside of the server, of which a dump has the definition only',
    ),
    ...(hasHistory
      ? []
      : about(versioned, 'versioned tables, of which a dump by this program has no history')),
    ...about(
      versioned.filter(keepsTransactions),
      'tables with transaction-precise history, beside which no history can be dumped',
    ),
    ...definers.missing.flatMap((definer) => {
      const of = objects.programs.filter((program) => program.definer === definer)
      return [`the definer ${definer} does not exist: ${someOf(of.map(described))} cannot be used`]
    }),
    ...eventsApart(schema, objects.programs),
    ...mentions(schema, objects.programs),
  ]
}

const NOT_IN_SNAPSHOT = 'tables that are not InnoDB, which a dump has at no single moment'

/** What a script has not, though restores have it from beside it. */
function eventsApart(schema: string, programs: readonly Program[]): readonly string[] {
  const events = programs.filter(({ kind }) => kind === 'event')
  if (events.length === 0 || canDumpEvents(schema, programs)) return []
  return [
    `events that the script itself has not, since dump programs fail for a database with quotes or backslashes in its name, and for events with two semicolons in a row; restores create them: ${someOf(events.map(({ name }) => name))}`,
  ]
}

/** What would go on speaking of the source after a restore under another name. */
function mentions(schema: string, programs: readonly Program[]): readonly string[] {
  const found = programs.filter(
    (program) => program.kind !== 'view' && mentionsSchema(program.createSql, schema, dialectOf(program)),
  )
  if (found.length === 0) return []
  return [
    `programs that name their own database, and would go on to do so in a copy of another name: ${someOf(found.map(described))}`,
  ]
}

function described({ kind, name }: Program): string {
  return `${kind} ${name}`
}

function about(tables: readonly TableObject[], what: string): readonly string[] {
  return tables.length === 0 ? [] : [`${what}: ${someOf(tables.map(({ name }) => name))}`]
}

const FOREIGN_KEYS = `
  SELECT DISTINCT TABLE_NAME AS name, REFERENCED_TABLE_NAME AS needs
  FROM information_schema.REFERENTIAL_CONSTRAINTS
  WHERE CONSTRAINT_SCHEMA = ? AND UNIQUE_CONSTRAINT_SCHEMA = ?`

/** What is kept although it needs what a filter leaves out: a restore of it fails, or has no such rows. */
export async function filterWarnings(
  session: Session,
  schema: string,
  { programs }: SchemaObjects,
  { leftOut, idle }: Selection,
): Promise<readonly string[]> {
  const unused = idle.map(
    (text) => `the filter excludes ${text.slice(0, 100)}, which the database does not have`,
  )
  if (leftOut.size === 0) return unused
  const keys = await session.query<{ name: string; needs: string }>(FOREIGN_KEYS, [schema, schema])
  const broken = keys.filter(({ name, needs }) => !leftOut.has(name) && leftOut.has(needs))
  const views = programs.filter(({ kind, name }) => kind === 'view' && !leftOut.has(name))
  const empty = views.flatMap(({ name, createSql }) => {
    const needs = [...leftOut].find((table) => selectsFrom(createSql, schema, table))
    return needs === undefined ? [] : [`${name} needs ${needs}`]
  })
  return [
    ...unused,
    ...(broken.length === 0
      ? []
      : [
          `foreign keys refer to tables that the filter leaves out: ${someOf(broken.map(({ name, needs }) => `${name} needs ${needs}`))}`,
        ]),
    ...(empty.length === 0
      ? []
      : [`views select from what the filter leaves out, and no restore can make them: ${someOf(empty)}`]),
  ]
}

/** The server prints views in one way: names in backticks, with the schema's name unless it is the current one. */
function selectsFrom(createSql: string, schema: string, table: string): boolean {
  const name = quoteName(table)
  if (createSql.includes(quoteQualified(schema, table))) return true
  return [' from ', ' join ', '(', ', '].some(
    (before) => createSql.includes(`${before}${name} `) || createSql.endsWith(`${before}${name}`),
  )
}
