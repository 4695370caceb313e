import { consent } from '../../client-server/consent.ts'
import type { Session } from '../session.ts'
import type { Access } from './access.ts'
import type { Exchange } from './exchange.ts'
import type { Journal } from './journal.ts'
import { isOpen, readPosition, writeJournal, writePosition } from './journal.ts'
import { createOwnSchema, dropOwnSchema } from './own-schema.ts'
import { planSwap } from './plan-swap.ts'
import { rehearse } from './rehearse.ts'
import { carryOut } from './run-steps.ts'

/** An exchange that has not begun. */
export interface Intended {
  readonly token: string
  /** Looks at both sides. Rejects if they cannot be exchanged. */
  readonly look: (session: Session) => Promise<Exchange & { readonly warnings: readonly string[] }>
}

/**
 * Begins an exchange, or goes on with one whose journal is in `schema`, and carries it to its end. `confirm` is awaited
 * under the lock of the destination; on the first time, when nothing is changed yet.
 */
export async function exchangeSchemas(
  access: Access,
  schema: string,
  session: Session,
  { token, look }: Intended,
  confirm: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const isBegun = isOpen(await readPosition(session, schema))
  if (!isBegun) await look(session)
  await consent(confirm, signal, session.lost)
  if (!isBegun) {
    // a first attempt may have come no further than this
    await dropOwnSchema(session, schema)
    await begin(access, schema, session, { token, look })
  }
  await carryOut(access, schema, session, signal)
}

async function begin(
  { operationId }: Access,
  schema: string,
  session: Session,
  { token, look }: Intended,
): Promise<void> {
  // again: whoever was asked took his time, and definitions may have changed meanwhile
  const exchange = await look(session)
  const [now] = await session.query<{ readonly at: string }>('SELECT UTC_TIMESTAMP(6) AS at')
  const { live, source, departing, invalidViews, warnings } = exchange
  const { programs = [] } = departing ?? {}
  const replaced = departing === null ? null : { defaults: departing, programs, invalidViews }
  const steps = planSwap(exchange)
  const journal: Journal = { at: now?.at ?? '', live, source, replaced, steps, warnings }
  await createOwnSchema(session, schema, { operationId, token }, departing)
  try {
    await rehearse(session, schema, steps)
    await writeJournal(session, schema, journal)
    await writePosition(session, schema, { direction: 'forward', step: 0 })
  } catch (error) {
    // if this fails too, the schema is found to have no position, and is dropped by whoever comes next
    await dropOwnSchema(session, schema).catch(() => {})
    throw error
  }
}
