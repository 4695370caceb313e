import type { SwapResult } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { MysqlParts } from '../mysql-parts.ts'
import { ownName } from '../own-names.ts'
import { locationOf } from '../restore/server-access.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { SchemaObjects } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import type { Access } from './access.ts'
import { requirePlace, withExclusive } from './access.ts'
import type { Exchange } from './exchange.ts'
import { exchangeSchemas } from './exchange-schemas.ts'
import { outgoingKeys } from './incoming-keys.ts'
import { isOpen, readJournal, readPosition } from './journal.ts'
import { lookAtLive } from './look-at-live.ts'
import { dropOwnSchema, ownerOf, schemaExists } from './own-schema.ts'
import { runAction } from './run-action.ts'
import { overLosses } from './run-steps.ts'
import { readArrivals } from './seal-staged.ts'
import { settleOthers } from './settle-others.ts'
import { holdsTables, tableIdsOf } from './table-ids.ts'
import type { StagedSchema } from './tickets.ts'
import { readStaged, writeTicket } from './tickets.ts'
import { hiddenPrefix, withoutJournal } from './without-journal.ts'

/**
 * Makes a staged schema the database and keeps aside what was there, all or nothing; see the driver's `swap`. `run`
 * makes one change.
 */
export async function swap(
  parts: MysqlParts,
  ticket: string,
  confirm: () => Promise<void>,
  signal: AbortSignal,
  run = runAction,
): Promise<SwapResult> {
  const staged = readStaged(ticket)
  const { operationId, token } = staged
  const access: Access = { parts, operationId, live: requirePlace(parts, staged), run }
  const aside = ownName('old', operationId)
  return withExclusive(access, async (session) => {
    // whatever was staged: what an operation has replaced is never replaced by it again
    if (await isDone(session, aside)) return conclude(access, session, staged)
    const isBegun = await isOfTicket(session, aside, staged)
    const open = isBegun && isOpen(await readPosition(session, aside))
    if (!open) {
      const shadow = ownName('new', operationId)
      if (!(await isOfTicket(session, shadow, staged))) return resultOfPast(access, session, staged)
      await settleOthers(access, session, isBegun ? aside : null)
    }
    const look = (onSession: Session) => lookAtSwap(access, onSession, staged)
    await exchangeSchemas(access, aside, session, { token, look }, confirm, signal)
    return conclude(access, session, staged)
  })
}

async function isOfTicket(session: Session, schema: string, { token }: StagedSchema): Promise<boolean> {
  return (await ownerOf(session, schema))?.token === token
}

async function isDone(session: Session, schema: string): Promise<boolean> {
  if ((await ownerOf(session, schema)) === null) return false
  return (await readPosition(session, schema))?.direction === 'done'
}

async function lookAtSwap(
  { live, operationId }: Access,
  session: Session,
  staged: StagedSchema,
): Promise<Exchange & { readonly warnings: readonly string[] }> {
  const source = ownName('new', operationId)
  const arrived = await readSchema(session, source)
  const arrivals = await readArrivals(session, source)
  const tables = withoutJournal(arrived.tables)
  const { departing, invalidViews } = await lookAtLive(session, live, 'RESTORE_NOT_POSSIBLE')
  requireConsented(live, staged, departing)
  const programs = arrived.programs.filter(({ kind }) => kind !== 'event')
  return {
    ...{ live, source, aside: ownName('old', operationId), hiddenPrefix: hiddenPrefix() },
    ...{ departing, invalidViews, isReturn: false },
    arriving: {
      defaults: arrived,
      tables,
      programs: { programs, from: source, definer: 'keep' },
      events: { programs: arrivals.events, from: arrivals.eventsFrom, definer: arrivals.definer },
      triggersInSource: programs.filter(({ kind }) => kind === 'trigger'),
      invalidViews: [],
    },
    warnings: [
      ...invalidViews.map(
        (view) => `the view ${view} that was replaced was invalid: undo may not bring it back`,
      ),
      ...(departing === null ? [] : await outgoingKeys(session, live)).map(
        (key) => `what is kept aside has a foreign key that still counts: ${key}`,
      ),
    ],
  }
}

/** Nobody has agreed to the replacement of what was not there when the restore was asked for. */
function requireConsented(live: string, { found }: StagedSchema, departing: SchemaObjects | null): void {
  if (departing === null || found === 'data') return
  if (departing.tables.length + departing.programs.length === 0) return
  throw new AppError(
    'DESTINATION_EXISTS',
    `the database ${live} held nothing when the restore began and holds something now`,
    { hint: 'ask for the restore again, and for the replacement of what is there' },
  )
}

/** It has happened: no failure may say otherwise, as what is then done again would replace what was kept. */
function conclude(access: Access, opened: Session, staged: StagedSchema): Promise<SwapResult> {
  return overLosses(access, opened, async (session) => {
    try {
      const isKept = await isDone(session, ownName('old', staged.operationId))
      return isKept ? await finish(access, session, staged) : await resultOfPast(access, session, staged)
    } catch (error) {
      if (session.lost.aborted) throw error
      throw new AppError(
        'OUTCOME_UNKNOWN',
        'the database was exchanged, and what it replaced cannot be read',
        {
          hint: 'ask again when the server works',
          cause: error,
        },
      )
    }
  })
}

/** What the swap has left beside the result. */
async function finish(access: Access, session: Session, staged: StagedSchema): Promise<SwapResult> {
  const { operationId, place } = staged
  const aside = ownName('old', operationId)
  const { replaced, warnings } = await readJournal(session, aside)
  await dropIfPossible(session, ownName('new', operationId))
  if (replaced === null) {
    // it is needed no longer if the tables themselves tell that they have come
    if (staged.tableIds !== null) await dropIfPossible(session, aside)
    return { replaced: null, warnings }
  }
  const token = (await ownerOf(session, aside))?.token ?? staged.token
  const tableIds = await tableIdsOf(session, aside)
  const ticket = writeTicket({ kind: 'replaced', operationId, place, token, tableIds })
  return { replaced: { ticket, location: locationOf(access.parts.connection, aside) }, warnings }
}

/** What cannot be dropped now is a leftover, and swept as one. */
async function dropIfPossible(session: Session, schema: string): Promise<void> {
  try {
    await dropOwnSchema(session, schema)
  } catch (error) {
    if (session.lost.aborted) throw error
  }
}

/** There is no journal and nothing staged: it has happened where nothing was, or will not. */
async function resultOfPast({ live }: Access, session: Session, staged: StagedSchema): Promise<SwapResult> {
  const isThere = (await schemaExists(session, live)) && (await holdsTables(session, live, staged.tableIds))
  if (isThere && staged.found === 'nothing') return { replaced: null, warnings: [] }
  throw new AppError(
    'DATABASE_NOT_FOUND',
    'the restored data is no longer on the server: it was discarded or undone',
  )
}
