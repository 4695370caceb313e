import type { CheckReport } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Comparison } from '../contents/compare-contents.ts'
import { compareContents } from '../contents/compare-contents.ts'
import type { Contents } from '../contents/contents-file.ts'
import type { Counted } from '../contents/count-tables.ts'
import { countTables } from '../contents/count-tables.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { SchemaObjects, TableObject } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { withoutJournal } from '../swap/without-journal.ts'
import type { OwnSchema } from './own-schema.ts'

/** What is there of a dump that was loaded. */
interface Copy extends Comparison {
  readonly counted: ReadonlyMap<string, Counted>
}

/** More differences than that are one. */
const MOST_TOLD = 5

/** Compares a copy that belongs to whoever loaded it with what its source had when the dump was taken. */
export async function compareCopy(
  own: OwnSchema,
  contents: Contents,
  signal: AbortSignal,
): Promise<CheckReport> {
  const { differences, warnings, counted } = await readCopy(own, contents, signal)
  const rowCounts = contents.counting === 'off' ? null : rowCountsOf(counted)
  if (differences.length > 0) {
    return { valid: false, message: `but it is not the same: ${some(differences)}`, rowCounts }
  }
  return { valid: true, message: [comparedOf(contents, counted), ...warnings].join('; '), rowCounts }
}

/** The same for a restore. Rejects with VERIFICATION_FAILED naming what is not as it was. */
export async function requireSameContents(
  own: OwnSchema,
  contents: Contents,
  signal: AbortSignal,
): Promise<void> {
  const { differences } = await readCopy(own, contents, signal)
  if (differences.length === 0) return
  throw new AppError(
    'VERIFICATION_FAILED',
    `the dump was loaded, but it is not the same: ${some(differences)}`,
    {
      hint: 'the destination is as it was; a drill of the backup says whether another server takes it',
    },
  )
}

async function readCopy({ parts, name }: OwnSchema, contents: Contents, signal: AbortSignal): Promise<Copy> {
  const open = () => openSession(parts.connection, { schema: name, signal })
  const first = await open()
  const sessions: Session[] = [first]
  try {
    const all = await readSchema(first, name)
    const objects = { ...all, tables: withoutJournal(all.tables) }
    const tables = contents.counting === 'off' ? [] : countable(objects, contents)
    while (sessions.length < Math.min(parts.patience.parallel, tables.length)) sessions.push(await open())
    const digests = contents.tables.some(({ digest }) => digest !== null)
    const counted = await countTables(sessions, name, tables, { digests, history: contents.history, signal })
    const ignoresCase = await knowsNoCase(first)
    const found = { schema: name, server: first.server, objects, counted, ignoresCase }
    return { ...compareContents(contents, found, { definer: 'current', withoutEvents: true }), counted }
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
  }
}

/** Tables that were counted in the source: of others the rows lie elsewhere. */
function countable({ tables }: SchemaObjects, contents: Contents): readonly TableObject[] {
  const counted = contents.tables.filter(({ rows }) => rows !== null).map(({ name }) => name.toLowerCase())
  const wanted = new Set(counted)
  return tables.filter(({ name, kind }) => kind === 'table' && wanted.has(name.toLowerCase()))
}

async function knowsNoCase(session: Session): Promise<boolean> {
  const [row] = await session.query<{ readonly setting: number | string }>(
    'SELECT @@GLOBAL.lower_case_table_names AS setting',
  )
  return Number(row?.setting ?? 0) !== 0
}

function rowCountsOf(counted: Copy['counted']): Readonly<Record<string, number>> {
  return Object.fromEntries([...counted].map(([name, { rows }]) => [name, rows]))
}

/** Says what was compared: counts that are not of the dump's own moment prove less. */
function comparedOf({ counting, reason, tables, programs }: Contents, counted: Copy['counted']): string {
  const made = programs.filter(({ kind }) => kind !== 'event').length
  const things = `${numberOf(tables.length, 'table')} and ${numberOf(made, 'program')}`
  const digested = tables.filter(({ digest }) => digest !== null).length
  const why = reason === null ? '' : ` (${reason})`
  if (counting === 'off')
    return `${things} as in the source; rows were not compared: those of the source were not counted`
  if (counting === 'estimate') {
    return `${things} as in the source; counts of rows were not compared: those of the source are approximate${why}`
  }
  const inexact = counted.size - digested
  return [
    `${things} as in the source, by exact counts and digests of rows`,
    ...(inexact === 0 ? [] : [`${numberOf(inexact, 'table')} outside of any snapshot by counts alone`]),
  ].join(', ')
}

function numberOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function some(differences: readonly string[]): string {
  const more = differences.length - MOST_TOLD
  const told = differences.slice(0, MOST_TOLD).join('; ')
  return more > 0 ? `${told}; and ${more} more` : told
}
