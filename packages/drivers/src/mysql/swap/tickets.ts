import { AppError, isUuid } from '@holdfast/core'
import type { TicketFields } from '../../client-server/ticket-fields.ts'
import { ticketFields, ticketOf } from '../../client-server/ticket-fields.ts'

interface Place {
  readonly operationId: string
  /** The lock key of the destination. */
  readonly place: string
  /** Written into the journal of the schema that the ticket is for, so that none of the same name is taken for it. */
  readonly token: string
  /** Ids of the tables that it is about, by which they are known wherever they are; null if the server does not tell. */
  readonly tableIds: readonly string[] | null
}

/** A schema that was loaded and waits for the swap. */
export interface StagedSchema extends Place {
  readonly kind: 'staged'
  /** What was at the destination when staging began. */
  readonly found: Found
}

/** What a swap moved aside. */
export interface ReplacedSchema extends Place {
  readonly kind: 'replaced'
}

/** `empty`: the schema is there, with nothing in it. */
export type Found = 'nothing' | 'empty' | 'data'

/** A ticket's text; its first field says which format it has. */
export function writeTicket(content: StagedSchema | ReplacedSchema): string {
  return ticketOf(content)
}

/** Throws INVALID_REQUEST for anything that {@link writeTicket} has not written. */
export function readStaged(ticket: string): StagedSchema {
  const fields = ticketFields(ticket) ?? notOurs()
  const { kind, found } = fields
  const isFound = found === 'nothing' || found === 'empty' || found === 'data'
  return kind === 'staged' && isFound ? { kind, ...placeOf(fields), found } : notOurs()
}

/** Throws INVALID_REQUEST for anything that {@link writeTicket} has not written. */
export function readReplaced(ticket: string): ReplacedSchema {
  const fields = ticketFields(ticket) ?? notOurs()
  return fields.kind === 'replaced' ? { kind: fields.kind, ...placeOf(fields) } : notOurs()
}

function placeOf({ operationId, place, token, tableIds }: TicketFields): Place {
  const isWhole = isText(operationId) && isText(place) && isText(token)
  if (!isWhole || !isUuid(operationId) || !isUuid(token)) return notOurs()
  if (tableIds === null) return { operationId, place, token, tableIds }
  if (!Array.isArray(tableIds)) return notOurs()
  const ids: readonly unknown[] = tableIds
  return ids.every(isText) ? { operationId, place, token, tableIds: ids } : notOurs()
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function notOurs(): never {
  throw new AppError('INVALID_REQUEST', 'the ticket of a restore is not one of the MySQL driver')
}
