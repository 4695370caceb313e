import { setTimeout as delay } from 'node:timers/promises'
import { AppError, cancellation, throwIfAborted, toFailure } from '@holdfast/core'
import { errnoOf } from '../failure.ts'
import type { Session } from '../session.ts'
import type { Access } from './access.ts'
import { openExclusively } from './access.ts'
import type { Journal } from './journal.ts'
import { readJournal, readPosition, readReason, writePosition, writeReason } from './journal.ts'
import { JOURNAL } from './journal-table.ts'
import { withHolders } from './lock-holders.ts'
import { dropOwnSchema } from './own-schema.ts'
import type { Step } from './steps.ts'

/** How long a server may be away in the middle: until it is back nobody knows more than the journal. */
const AWAY_MS = 120_000
const POLL_MS = 500
/** A step in which the connection is lost again and again is not to be made. */
const MOST_LOSSES = 3
/** Going back is tried again even if waiting is all that can help: there is no other way out. */
const BACKWARD_ATTEMPTS = 5
const TRIGGER_FILE_BROKEN = 1343

interface Run {
  readonly access: Access
  /** Where the journal is. */
  readonly schema: string
  readonly session: Session
  readonly losses: number
  readonly signal: AbortSignal
}

/**
 * Carries an exchange from where its journal says to its end, and resolves when it is done. If a step fails, or on
 * abort (noticed between statements: see `access.ts` for why none is ended), it is taken back as a whole and rejects with the reason, as it does if it was being taken back already.
 * Connections that are lost on the way are made again. Rejects with OUTCOME_UNKNOWN if the server stays away or does not
 * let it be taken back: then the same call goes on later.
 */
export async function carryOut(
  access: Access,
  schema: string,
  opened: Session,
  signal: AbortSignal,
): Promise<void> {
  await overLosses(access, opened, (session, losses) => carryOn({ access, schema, session, losses, signal }))
}

/**
 * Does work that can be repeated, and does it again on another session whenever one is lost. Rejects with
 * OUTCOME_UNKNOWN if the server stays away.
 */
export async function overLosses<Result>(
  access: Access,
  opened: Session,
  work: (session: Session, losses: number) => Promise<Result>,
): Promise<Result> {
  let session = opened
  for (let losses = 0; ; losses += 1) {
    try {
      return await work(session, losses)
    } catch (error) {
      if (!session.lost.aborted) throw error
    } finally {
      if (session !== opened) await session.close()
    }
    session = await reopen(access)
  }
}

/** Takes an exchange back that somebody else has begun and not ended. */
export async function takeBack(access: Access, schema: string, session: Session): Promise<void> {
  const never = new AbortController().signal
  const run = { access, schema, session, losses: 0, signal: never }
  const position = await readPosition(session, schema)
  const step = position !== null && 'step' in position ? position.step : 0
  if (position?.direction === 'forward') await turn(run, { step, error: takenBack() })
  await goBack(run, await readJournal(session, schema), step)
}

async function carryOn(run: Run): Promise<void> {
  const { session, schema } = run
  const position = await readPosition(session, schema)
  if (position?.direction === 'done') return
  if (position === null || !('step' in position)) throw takenBack()
  const journal = await readJournal(session, schema)
  if (position.direction === 'backward') {
    const reason = await readReason(session, schema)
    await goBack(run, journal, position.step)
    throw reason
  }
  const failed = await goForward(run, journal, position.step)
  if (failed === null) return
  await turn(run, failed)
  await goBack(run, journal, failed.step)
  throw failed.error
}

interface Failed {
  readonly step: number
  readonly error: unknown
}

/** Null when all is done; otherwise what failed. Rejects only if the connection is lost. */
async function goForward(run: Run, { steps, live }: Journal, begin: number): Promise<Failed | null> {
  const { session, schema, signal } = run
  let step = begin
  try {
    if (run.losses >= MOST_LOSSES) throw lostTooOften()
    for (; step < steps.length; step += 1) {
      await writePosition(session, schema, { direction: 'forward', step })
      await runForward(run, steps[step])
    }
    throwIfAborted(signal)
    await writePosition(session, schema, { direction: 'done' })
    return null
  } catch (error) {
    if (session.lost.aborted) throw error
    const failure = signal.aborted ? cancellation(signal) : await withHolders(session, live, error)
    return { step: Math.min(step, steps.length - 1), error: failure }
  }
}

async function runForward({ access, session, signal }: Run, step: Step | undefined): Promise<void> {
  for (const action of step?.forward ?? []) {
    throwIfAborted(signal)
    await access.run(session, action).catch((error: unknown) => Promise.reject(titled(step, error)))
  }
}

/** From here on there is only the way back, also for whoever finds the journal. */
async function turn({ session, schema }: Run, { step, error }: Failed): Promise<void> {
  const retryable = error instanceof AppError && error.retryable
  await writeReason(session, schema, { ...toFailure(error), retryable })
  await writePosition(session, schema, { direction: 'backward', step })
}

async function goBack(run: Run, { steps }: Journal, begin: number): Promise<void> {
  const { session, schema } = run
  for (let step = begin; step >= 0; step -= 1) {
    await writePosition(session, schema, { direction: 'backward', step })
    await runBackward(run, steps[step])
  }
  await dropEmptied(session, schema)
}

async function runBackward({ access, session }: Run, step: Step | undefined): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      for (const action of step?.backward ?? []) await access.run(session, action)
      return
    } catch (error) {
      if (session.lost.aborted) throw error
      if (attempt === BACKWARD_ATTEMPTS) throw stuck(titled(step, error))
      await delay(POLL_MS)
    }
  }
}

/** What was taken back leaves nothing; a table that is still there must not go with the schema. */
async function dropEmptied(session: Session, schema: string): Promise<void> {
  const [row] = await session.query<{ readonly name: string }>(
    'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME <> ? LIMIT 1',
    [schema, JOURNAL],
  )
  if (row !== undefined) throw stuck(new Error(`the table ${row.name} is still in ${schema}`))
  await dropOwnSchema(session, schema)
}

async function reopen(access: Access): Promise<Session> {
  const until = AbortSignal.timeout(AWAY_MS)
  for (;;) {
    try {
      return await openExclusively(access)
    } catch (error) {
      if (until.aborted || !(error instanceof AppError) || !error.retryable) throw away(error)
      await delay(POLL_MS)
    }
  }
}

function titled(step: Step | undefined, error: unknown): unknown {
  if (!(error instanceof AppError) || step === undefined) return error
  const { code, message, hint, retryable } = error
  const shown = message.startsWith('could not ') ? message : `could not ${step.title}: ${message}`
  return new AppError(code, shown, { retryable, cause: error, ...(hint !== null && { hint }) })
}

function away(cause: unknown): AppError {
  return new AppError('OUTCOME_UNKNOWN', 'the server went away in the middle of exchanging the database', {
    hint: 'what is to be done is noted on the server: ask again when it is back, and it is carried to its end',
    cause,
  })
}

function stuck(cause: unknown): AppError {
  const why = cause instanceof Error ? cause.message : 'unknown'
  const hint =
    errnoOf(cause) === TRIGGER_FILE_BROKEN
      ? 'somebody ended a RENAME in its midst, and MariaDB has emptied the .TRG file of a table: remove that file from the data directory and ask again'
      : 'remove what is in the way and ask again: what is left to do is noted on the server'
  const message = `the exchange failed and could not be taken back yet: ${why}`
  return new AppError('OUTCOME_UNKNOWN', message, { hint, cause })
}

function lostTooOften(): AppError {
  return new AppError('TARGET_UNREACHABLE', 'the connection to the MySQL server was cut again and again')
}

function takenBack(): AppError {
  return new AppError('DATABASE_LOCKED', 'another restore into the same database took this one back')
}
