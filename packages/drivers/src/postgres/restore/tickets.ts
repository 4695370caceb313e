import { AppError, isUuid } from '@holdfast/core'
import type { TicketFields } from '../../client-server/ticket-fields.ts'
import { ticketFields, ticketOf } from '../../client-server/ticket-fields.ts'

/** Where a ticket is for. A database's oid says nothing on another server. */
interface Place {
  readonly operationId: string
  /** The lock key of the destination. */
  readonly place: string
  /** The system identifier of the server; empty if it is not told. */
  readonly server: string
}

/** A shadow database that waits for the swap. */
export interface StagedShadow extends Place {
  readonly kind: 'shadow'
  readonly stagedOid: number
  /** How many sessions the database may have from the swap on; -1 for any number. */
  readonly connectionLimit: number
  /** What was at the destination when staging began. */
  readonly found: 'nothing' | 'empty' | 'data'
}

/** A dump in a file that waits to be loaded into an empty database. */
export interface StagedFile extends Place {
  readonly kind: 'in-place'
  readonly destinationOid: number
  /** SHA-256 of the row counts that must be there in the end; null if they were not counted exactly. */
  readonly countsDigest: string | null
}

/** A database that a swap moved aside. */
export interface Replaced extends Place {
  readonly kind: 'replaced'
  readonly replacedOid: number
  readonly restoredOid: number
}

/** A ticket's text; its first field says which format it has. */
export function writeTicket(content: StagedShadow | StagedFile | Replaced): string {
  return ticketOf(content)
}

/** Throws INVALID_REQUEST for anything that {@link writeTicket} has not written. */
export function readStaged(ticket: string): StagedShadow | StagedFile {
  const fields = ticketFields(ticket) ?? notOurs()
  const place = placeOf(fields)
  if (fields.kind === 'shadow') {
    const { stagedOid, connectionLimit, found } = fields
    const isFound = found === 'nothing' || found === 'empty' || found === 'data'
    if (isOid(stagedOid) && isLimit(connectionLimit) && isFound) {
      return { kind: 'shadow', ...place, stagedOid, connectionLimit, found }
    }
  }
  return fields.kind === 'in-place' ? stagedFile(place, fields) : notOurs()
}

/** Throws INVALID_REQUEST for anything that {@link writeTicket} has not written. */
export function readReplaced(ticket: string): Replaced {
  const fields = ticketFields(ticket) ?? notOurs()
  const { kind, replacedOid, restoredOid } = fields
  if (kind !== 'replaced' || !isOid(replacedOid) || !isOid(restoredOid)) return notOurs()
  return { kind, ...placeOf(fields), replacedOid, restoredOid }
}

function stagedFile(place: Place, fields: TicketFields): StagedFile {
  const { destinationOid, countsDigest } = fields
  if (!isOid(destinationOid) || (countsDigest !== null && typeof countsDigest !== 'string')) return notOurs()
  return { kind: 'in-place', ...place, destinationOid, countsDigest }
}

function placeOf({ operationId, place, server }: TicketFields): Place {
  const isWhole = typeof operationId === 'string' && typeof place === 'string' && typeof server === 'string'
  return isWhole && isUuid(operationId) ? { operationId, place, server } : notOurs()
}

function isOid(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 32
}

function isLimit(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= -1 && value < 2 ** 31
}

function notOurs(): never {
  throw new AppError('INVALID_REQUEST', 'the ticket of a restore is not one of the PostgreSQL driver')
}
