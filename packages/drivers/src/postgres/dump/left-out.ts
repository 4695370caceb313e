import { AppError } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { quoted, quotedTable, tableKey } from '../contents/table-names.ts'
import type { DatabaseFacts } from './database-facts.ts'
import type { Selection } from './select-relations.ts'

type LeftOut = NonNullable<Contents['leftOut']>

/** What systems allow for all arguments together is 1 MB or more. */
const MOST_ARGUMENT_BYTES = 500_000
const MOST_NAMED = 5

/**
 * Arguments that make pg_dump leave out what is not selected. Nothing is ever included by name: pg_dump would then
 * leave out large objects, extensions and everything else that is no table.
 */
export function filterArguments({ schemasLeftOut, relationsLeftOut }: Selection): readonly string[] {
  const args = [
    ...schemasLeftOut.map(({ name }) => `--exclude-schema=${quoted(name)}`),
    ...relationsLeftOut.map((relation) => `--exclude-table=${quotedTable(relation)}`),
  ]
  const bytes = args.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0)
  if (bytes <= MOST_ARGUMENT_BYTES) return args
  throw new AppError(
    'INVALID_REQUEST',
    `the filter leaves out ${relationsLeftOut.length} tables, too many to name`,
    {
      hint: 'leave out whole schemas',
    },
  )
}

/**
 * The encoding of a dump, and of the arguments beside it: that of the database, whatever it or the role is set to, so
 * that nothing is converted. Names to leave out that are not all ASCII reach pg_dump in UTF-8, and in another encoding
 * it would not know them, nor say so. A database without any encoding takes them as they are.
 */
export function encodingArgument(
  { encoding }: Pick<DatabaseFacts, 'encoding'>,
  leftOut: readonly string[],
): string {
  const isKnown = encoding === 'SQL_ASCII' || leftOut.every((argument) => /^\p{ASCII}*$/u.test(argument))
  return `--encoding=${isKnown ? encoding : 'UTF8'}`
}

/** What is not in the dump; null if it is whole. */
export function leftOutOf(selection: Selection, rowsOf: readonly string[]): LeftOut | null {
  const schemas = selection.schemasLeftOut.map(({ name }) => name)
  const tables = selection.relationsLeftOut.map(({ schema, name }) => tableKey(schema, name))
  if (schemas.length + tables.length + rowsOf.length === 0) return null
  return { schemas, tables, rowsOf: [...rowsOf] }
}

/** The same in a few words, equal for dumps that leave out the same. */
export function describeLeftOut({ schemas, tables, rowsOf }: LeftOut): string {
  return [
    ...(schemas.length === 0 ? [] : [`${counted(schemas.length, 'schema')} (${some(schemas)})`]),
    ...(tables.length === 0 ? [] : [`${counted(tables.length, 'table')} (${some(tables)})`]),
    ...(rowsOf.length === 0
      ? []
      : [`the rows of ${counted(rowsOf.length, 'unlogged table')} (${some(rowsOf)})`]),
  ].join(', ')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function some(names: readonly string[]): string {
  const more = names.length - MOST_NAMED
  const shown = names.slice(0, MOST_NAMED).join(', ')
  return more > 0 ? `${shown} and ${more} more` : shown
}
