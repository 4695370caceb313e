import type { Failure } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Program } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { readEntry, readLine, writeEntry, writeLine } from './journal-table.ts'
import type { SchemaDefaults } from './own-schema.ts'
import type { Step } from './steps.ts'

/** All that is needed to carry an exchange to its end or to take it back, and to put back what it replaced. */
export interface Journal {
  /** Of the server, with microseconds: later exchanges of the same schema come after. */
  readonly at: string
  readonly live: string
  /** Where the arriving tables were. */
  readonly source: string
  /** Null: there was no such schema. */
  readonly replaced: Replaced | null
  readonly steps: readonly Step[]
  readonly warnings: readonly string[]
}

/** What departed beside its tables. */
export interface Replaced {
  readonly defaults: SchemaDefaults
  readonly programs: readonly Program[]
  readonly invalidViews: readonly string[]
}

/**
 * How far an exchange is: at a step that may have been done in part or as a whole, `done`, or `back`: what it had
 * brought was exchanged for what it had replaced again.
 */
export type Position =
  | { readonly direction: 'forward' | 'backward'; readonly step: number }
  | { readonly direction: 'done' | 'back' }

/** Why an exchange is being taken back. */
export interface Reason extends Failure {
  readonly retryable: boolean
}

const JOURNAL = 'journal'
const REASON = 'reason'

/** Writes all of it; only the first {@link writePosition} makes it count. */
export async function writeJournal(session: Session, schema: string, journal: Journal): Promise<void> {
  await writeEntry(session, schema, JOURNAL, journal)
}

/** What {@link writeJournal} wrote into a schema of ours. */
export async function readJournal(session: Session, schema: string): Promise<Journal> {
  const journal = await readEntry(session, schema, JOURNAL)
  if (journal === undefined) throw new Error('a schema with a position has no journal')
  // only schemas that say of themselves that they are ours are asked, and nothing else writes this entry
  return journal as Journal
}

/** Durable before it resolves, and everything written before with it. */
export async function writePosition(session: Session, schema: string, position: Position): Promise<void> {
  const step = 'step' in position ? ` ${position.step}` : ''
  await writeLine(session, schema, `${position.direction}${step}`)
}

/** Null if no exchange has begun. */
export async function readPosition(session: Session, schema: string): Promise<Position | null> {
  const [, direction, step] =
    /^(forward|backward|done|back)(?: (\d+))?$/.exec(await readLine(session, schema)) ?? []
  if (direction === 'done' || direction === 'back') return { direction }
  if (direction !== 'forward' && direction !== 'backward') return null
  return { direction, step: Number(step) }
}

/** True if something is between old and new. */
export function isOpen(position: Position | null): position is Extract<Position, { readonly step: number }> {
  return position !== null && 'step' in position
}

export async function writeReason(session: Session, schema: string, reason: Reason): Promise<void> {
  await writeEntry(session, schema, REASON, reason)
}

/** The failure that {@link writeReason} noted. */
export async function readReason(session: Session, schema: string): Promise<AppError> {
  const reason = await readEntry(session, schema, REASON)
  if (reason === undefined) return new AppError('DATABASE_LOCKED', 'the exchange was begun and taken back')
  // see above: ours
  const { code, detail, hint, retryable } = reason as Reason
  return new AppError(code, detail, { retryable, ...(hint !== null && { hint }) })
}
