import type { DumpFilter } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { Program, SchemaObjects, TableObject } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { HISTORY_SINCE } from './dump-arguments.ts'
import type { Definers } from './find-definers.ts'
import { findDefiners } from './find-definers.ts'
import { requireValidViews } from './invalid-views.ts'
import type { Selection } from './select-tables.ts'
import { EVERYTHING, selectTables } from './select-tables.ts'
import { filterWarnings, isElsewhere, keepsTransactions, sourceWarnings } from './source-warnings.ts'
import { requireReadable } from './unreadable-programs.ts'

/** What is known of a schema before anything of it is dumped. */
export interface Source {
  readonly schema: string
  readonly objects: SchemaObjects
  /** The part of `objects` that is in the dump. */
  readonly tables: readonly TableObject[]
  readonly programs: readonly Program[]
  readonly selection: Selection
  readonly leftOut: Contents['leftOut']
  readonly definers: Definers
  readonly lowerCaseTableNames: number
  readonly collations: readonly string[]
  readonly history: boolean
  readonly warnings: readonly string[]
}

/** Reads a schema. Rejects with DATABASE_INVALID, naming them, if it has views or routines of which no dump could be loaded. */
export async function describeSource(
  session: Session,
  {
    schema,
    filter,
    toolVersion,
  }: { readonly schema: string; readonly filter: DumpFilter | null; readonly toolVersion: number },
): Promise<Source> {
  const objects = await readSchema(session, schema)
  const selection = filter === null ? EVERYTHING : selectTables(filter, schema, namesOf(objects))
  const isKept = ({ name }: { readonly name: string }) => !selection.leftOut.has(name)
  const tables = objects.tables.filter(isKept)
  const programs = objects.programs.filter((program) => isProgramKept(program, selection))
  await requireValidViews(session, schema, namesOfViews(programs))
  requireReadable(programs)
  const definers = await findDefiners(session, programs)
  const kept = { ...objects, tables, programs }
  return {
    ...{ schema, objects, tables, programs, selection, definers },
    leftOut: leftOutOf(objects, tables, selection),
    lowerCaseTableNames: await readLowerCase(session),
    collations: await readCollations(session, schema, kept),
    history: keepsHistory(session, toolVersion, tables),
    warnings: [
      ...sourceWarnings(session, schema, kept, definers),
      ...(await filterWarnings(session, schema, objects, selection)),
    ],
  }
}

/** Tables, sequences and views have their names in one place. */
function namesOf({ tables, programs }: SchemaObjects): readonly string[] {
  return [...tables.map(({ name }) => name), ...namesOfViews(programs)]
}

export function namesOfViews(programs: readonly Program[]): readonly string[] {
  return programs.flatMap(({ kind, name }) => (kind === 'view' ? [name] : []))
}

function isProgramKept({ kind, name, table }: Program, { leftOut }: Selection): boolean {
  return !(kind === 'view' && leftOut.has(name)) && !(table !== null && leftOut.has(table))
}

function leftOutOf(
  { tables, programs }: SchemaObjects,
  kept: readonly TableObject[],
  selection: Selection,
): Contents['leftOut'] {
  const gone = tables.filter(({ name }) => selection.leftOut.has(name)).map(({ name }) => name)
  const without = programs
    .filter((program) => !isProgramKept(program, selection))
    .map(({ kind, name }) => `${kind} ${name}`)
  const rowsOf = kept.filter(isElsewhere).map(({ name }) => name)
  if (gone.length + without.length + rowsOf.length === 0) return null
  return { tables: gone, rowsOf, programs: without }
}

function keepsHistory({ server }: Session, toolVersion: number, tables: readonly TableObject[]): boolean {
  return (
    server.flavour.versionedTables &&
    Math.min(server.version, toolVersion) >= HISTORY_SINCE &&
    !tables.some(keepsTransactions)
  )
}

async function readLowerCase(session: Session): Promise<number> {
  const [row] = await session.query<{ value: number | string }>('SELECT @@lower_case_table_names AS value')
  return Number(row?.value ?? 0)
}

const COLLATIONS = `
  SELECT DISTINCT COLLATION_NAME AS name FROM information_schema.COLUMNS
  WHERE TABLE_SCHEMA = ? AND COLLATION_NAME IS NOT NULL`

async function readCollations(
  session: Session,
  schema: string,
  kept: SchemaObjects,
): Promise<readonly string[]> {
  const rows = await session.query<{ name: string }>(COLLATIONS, [schema])
  const named = [
    kept.collation,
    ...kept.tables.map(({ collation }) => collation),
    ...kept.programs.flatMap(({ collation, databaseCollation }) => [collation, databaseCollation]),
    ...rows.map(({ name }) => name),
  ]
  return [...new Set(named.filter((name) => name !== null && name !== ''))]
    .filter((name) => name !== null)
    .toSorted()
}
