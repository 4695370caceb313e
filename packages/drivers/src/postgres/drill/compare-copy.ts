import type { CheckReport } from '@holdfast/core'
import { compareSequences, compareTables } from '../contents/compare-contents.ts'
import type { Contents } from '../contents/contents-file.ts'
import { countDatabase, rowCountsOf } from '../contents/count-database.ts'
import type { Digests } from '../contents/count-tables.ts'
import { digestMethodFor } from '../contents/count-tables.ts'
import { listRelations } from '../contents/list-relations.ts'
import { readSequences } from '../contents/sequences.ts'
import { open } from '../restore/maintenance.ts'
import type { OwnDatabase } from '../restore/own-database.ts'
import type { Session } from '../session.ts'

/** More differences than that are one. */
const MOST_TOLD = 5

/** Compares a restored copy with what its source had when the dump was taken. */
export async function compareCopy(
  { parts, access, name }: OwnDatabase,
  contents: Contents,
  signal: AbortSignal,
): Promise<CheckReport> {
  const first = await open(access, name, signal)
  const sessions: [Session, ...Session[]] = [first]
  try {
    if (contents.digests === null) return await compareUncounted(first, contents)
    while (sessions.length < parts.patience.parallel) sessions.push(await open(access, name, signal))
    return await compareCounted(sessions, contents, contents.digests, signal)
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
  }
}

async function compareCounted(
  sessions: readonly [Session, ...Session[]],
  contents: Contents,
  expected: Digests,
  signal: AbortSignal,
): Promise<CheckReport> {
  const method = expected.method === 'record' ? digestMethodFor(sessions[0].serverVersion) : expected.method
  const found = await countDatabase(sessions, method, signal)
  const tables = compareTables(expected, found.digests)
  const differences = [...tables.differences, ...compareSequences(contents.sequences, found.sequences)]
  const rowCounts = rowCountsOf(found.digests)
  if (differences.length > 0)
    return { valid: false, message: `but it is not the same: ${some(differences)}`, rowCounts }
  const counted = `${numberOf(expected.tables, 'table')} and ${numberOf(contents.sequences, 'sequence')}`
  return { valid: true, message: [`${counted} as in the source`, ...tables.warnings].join('; '), rowCounts }
}

/** Where sequences are is known even if nothing was counted. */
async function compareUncounted(session: Session, contents: Contents): Promise<CheckReport> {
  const found = await readSequences(session, await listRelations(session))
  const differences = compareSequences(contents.sequences, found)
  if (differences.length > 0) {
    return { valid: false, message: `but it is not the same: ${some(differences)}`, rowCounts: null }
  }
  return {
    valid: true,
    message: 'its tables were not compared: those of the source were not counted',
    rowCounts: null,
  }
}

function numberOf(things: object, what: string): string {
  const number = Object.keys(things).length
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function some(differences: readonly string[]): string {
  const more = differences.length - MOST_TOLD
  const told = differences.slice(0, MOST_TOLD).join('; ')
  return more > 0 ? `${told}; and ${more} more` : told
}
