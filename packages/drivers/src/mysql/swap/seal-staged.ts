import { AppError } from '@holdfast/core'
import { ownName } from '../own-names.ts'
import type { DefinerChoice } from '../schema/program-statements.ts'
import type { Program } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { readEntry, writeEntry } from './journal-table.ts'
import { ownerOf } from './own-schema.ts'
import { tableIdsOf } from './table-ids.ts'
import type { Found } from './tickets.ts'
import { writeTicket } from './tickets.ts'

/** What comes with a staged schema and is not in it: an event in there would run. */
export interface Arrivals {
  /** As they were read from `eventsFrom`. */
  readonly events: readonly Program[]
  /** The name of the schema that was dumped. */
  readonly eventsFrom: string
  /** Whose the events become; all else in the schema has its definers already. */
  readonly definer: DefinerChoice
}

interface Sealed extends Arrivals {
  readonly operationId: string
  /** The lock key of the destination. */
  readonly place: string
  readonly found: Found
}

const ARRIVALS = 'arrivals'

/**
 * The last act of staging: writes into the shadow what the swap will need beside it, and returns the ticket. The shadow
 * was made by `createOwnSchema`.
 */
export async function sealStaged(session: Session, sealed: Sealed): Promise<string> {
  const { operationId, place, found, ...arrivals } = sealed
  const shadow = ownName('new', operationId)
  const owner = await ownerOf(session, shadow)
  if (owner === null) throw gone()
  await writeEntry(session, shadow, ARRIVALS, arrivals)
  const tableIds = await tableIdsOf(session, shadow)
  return writeTicket({ kind: 'staged', operationId, place, token: owner.token, tableIds, found })
}

/** What {@link sealStaged} wrote. Rejects with DATABASE_NOT_FOUND if it did not. */
export async function readArrivals(session: Session, shadow: string): Promise<Arrivals> {
  const arrivals = await readEntry(session, shadow, ARRIVALS)
  if (arrivals === undefined) throw gone()
  // whoever reads this has made sure that the schema is ours; nothing else writes its journal
  return arrivals as Arrivals
}

function gone(): AppError {
  return new AppError(
    'DATABASE_NOT_FOUND',
    'the restored data is no longer on the server: it was discarded or undone',
  )
}
