import type { SwapResult } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { ownName } from '../../client-server/own-names.ts'
import type { Session } from '../session.ts'
import type { Outlook } from './change-names.ts'
import { changeNames } from './change-names.ts'
import { dropOwnDatabase } from './drop-database.ts'
import { isOccupied, locationOf } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import { openMaintenance, withSession } from './maintenance.ts'
import { requirePlace } from './server-identity.ts'
import type { Replaced, StagedShadow } from './tickets.ts'
import { writeTicket } from './tickets.ts'

interface Named {
  readonly oid: number
  readonly name: string
}

/** Gives the shadow the name of the destination; what bore it is kept under another one, with all its settings. */
export function swapShadow(
  access: ServerAccess,
  ticket: StagedShadow,
  confirm: () => Promise<void>,
  signal: AbortSignal,
): Promise<SwapResult> {
  return changeNames(access, (session) => lookAtSwap(access, session, ticket, signal), confirm, signal)
}

/** Gives what a swap replaced its name back; what bears it now is dropped afterwards. */
export async function undoSwap(
  access: ServerAccess,
  ticket: Replaced,
  confirm: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await changeNames(access, (session) => lookAtUndo(access, session, ticket), confirm, signal)
  const undone = ownName('undone', ticket.operationId)
  // it is back, which is what was asked for: what cannot be dropped now is a leftover, and swept as one
  await withSession(openMaintenance(access, signal), (session) =>
    dropOwnDatabase(access, session, undone, ticket.restoredOid, signal),
  ).catch(() => {})
}

async function lookAtSwap(
  access: ServerAccess,
  session: Session,
  ticket: StagedShadow,
  signal: AbortSignal,
): Promise<Outlook<SwapResult>> {
  await requirePlace(access, session, ticket)
  const { destination } = access
  const [shadow, aside] = [ownName('new', ticket.operationId), ownName('old', ticket.operationId)]
  const found = await find(session, [destination, shadow, aside], [ticket.stagedOid])
  const staged = found.find(({ oid }) => oid === ticket.stagedOid)
  const replaced = found.find(({ name }) => name === aside)
  if (staged?.name === destination) return { isDone: true, result: resultOf(access, ticket, replaced) }
  if (staged?.name !== shadow) {
    throw new AppError(
      'DATABASE_NOT_FOUND',
      'the restored data is no longer on the server: it was discarded or undone',
    )
  }
  const current = found.find(({ name }) => name === destination)
  await requireConsented(access, ticket, current, signal)
  const arrival = { oid: staged.oid, from: shadow, to: destination, connectionLimit: ticket.connectionLimit }
  const departures = current === undefined ? [] : [{ oid: current.oid, from: destination, to: aside }]
  return { isDone: false, renamings: [...departures, arrival] }
}

/** Nobody has agreed to the replacement of what was not there when the restore was asked for. */
async function requireConsented(
  access: ServerAccess,
  { found }: StagedShadow,
  current: Named | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (current === undefined || found === 'data') return
  if (found === 'empty' && !(await isOccupied(access, current.name, signal))) return
  throw new AppError(
    'DESTINATION_EXISTS',
    `the database ${current.name} held nothing when the restore began and holds something now`,
    { hint: 'ask for the restore again, and for the replacement of what is there' },
  )
}

function resultOf(
  access: ServerAccess,
  { operationId, place, server, stagedOid }: StagedShadow,
  replaced: Named | undefined,
): SwapResult {
  if (replaced === undefined) return { replaced: null, warnings: [] }
  const oids = { replacedOid: replaced.oid, restoredOid: stagedOid }
  const ticket = writeTicket({ kind: 'replaced', operationId, place, server, ...oids })
  return { replaced: { ticket, location: locationOf(access, replaced.name) }, warnings: [] }
}

async function lookAtUndo(access: ServerAccess, session: Session, ticket: Replaced): Promise<Outlook<null>> {
  await requirePlace(access, session, ticket)
  const { destination } = access
  const aside = ownName('old', ticket.operationId)
  const found = await find(session, [destination], [ticket.replacedOid])
  const replaced = found.find(({ oid }) => oid === ticket.replacedOid)
  if (replaced?.name === destination) return { isDone: true, result: null }
  if (replaced?.name !== aside) {
    throw new AppError('UNDO_NOT_POSSIBLE', `the database ${aside} that the restore had kept is gone`)
  }
  const return_ = { oid: replaced.oid, from: aside, to: destination }
  const current = found.find(({ name }) => name === destination)
  if (current === undefined) return { isDone: false, renamings: [return_] }
  if (current.oid !== ticket.restoredOid) {
    throw new AppError(
      'UNDO_NOT_POSSIBLE',
      `the database ${destination} is not the one that the restore brought`,
      {
        hint: `somebody has exchanged it since, and undoing would drop it; what the restore had replaced is ${aside}`,
      },
    )
  }
  const undone = ownName('undone', ticket.operationId)
  return { isDone: false, renamings: [{ oid: current.oid, from: destination, to: undone }, return_] }
}

function find(
  session: Session,
  names: readonly string[],
  oids: readonly number[],
): Promise<readonly Named[]> {
  return session.query<{ readonly [Key in keyof Named]: Named[Key] }>(
    'SELECT oid, datname AS name FROM pg_database WHERE datname = ANY ($1::text[]) OR oid = ANY ($2::oid[])',
    [names, oids],
  )
}
