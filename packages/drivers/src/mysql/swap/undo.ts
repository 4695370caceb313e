import { AppError } from '@holdfast/core'
import type { MysqlParts } from '../mysql-parts.ts'
import { ownName } from '../own-names.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { Session } from '../session.ts'
import type { Access } from './access.ts'
import { requirePlace, withExclusive } from './access.ts'
import type { Exchange } from './exchange.ts'
import { exchangeSchemas } from './exchange-schemas.ts'
import type { Journal } from './journal.ts'
import { isOpen, readJournal, readPosition } from './journal.ts'
import { listOwnSchemas } from './list-own-schemas.ts'
import { lookAtLive } from './look-at-live.ts'
import { dropOwnSchema, ownerOf } from './own-schema.ts'
import { runAction } from './run-action.ts'
import { settleOthers } from './settle-others.ts'
import { holdsTables } from './table-ids.ts'
import type { ReplacedSchema } from './tickets.ts'
import { readReplaced } from './tickets.ts'
import { hiddenPrefix, withoutJournal } from './without-journal.ts'

/**
 * Puts back what a swap moved aside and drops what is there now, all or nothing; see the driver's `undo`. `run` makes
 * one change.
 */
export async function undo(
  parts: MysqlParts,
  ticket: string,
  confirm: () => Promise<void>,
  signal: AbortSignal,
  run = runAction,
): Promise<void> {
  const replaced = readReplaced(ticket)
  const { operationId, token } = replaced
  const access: Access = { parts, operationId, live: requirePlace(parts, replaced), run }
  const [aside, undone] = [ownName('old', operationId), ownName('undone', operationId)]
  await withExclusive(access, async (session) => {
    const state = await stateOf(access, session, replaced)
    if (state === 'to-do') {
      await settleOthers(access, session, undone)
      const look = (onSession: Session) => lookAtUndo(access, onSession, aside)
      await exchangeSchemas(access, undone, session, { token, look }, confirm, signal)
    }
    if (!session.lost.aborted) return tidy(session, replaced)
    // it is back: a server that is away now has nothing more to do for it
    await withExclusive(access, (again) => tidy(again, replaced)).catch(() => {})
  })
}

/** Rejects with UNDO_NOT_POSSIBLE if there is nothing to put back, or if it would put away what somebody else brought. */
async function stateOf(
  { live }: Access,
  session: Session,
  { operationId, token, tableIds }: ReplacedSchema,
): Promise<'to-do' | 'done'> {
  const [aside, undone] = [ownName('old', operationId), ownName('undone', operationId)]
  const isOurs = (await ownerOf(session, aside))?.token === token
  const position = isOurs ? await readPosition(session, aside) : null
  if (position === null) {
    if (await holdsTables(session, live, tableIds)) return 'done'
    throw new AppError('UNDO_NOT_POSSIBLE', `the schema ${aside} that the restore had kept is gone`)
  }
  if (isOpen(await readPosition(session, undone))) return 'to-do'
  if (position.direction === 'back') return 'done'
  if (position.direction !== 'done') {
    throw new AppError('UNDO_NOT_POSSIBLE', 'the restore has not been carried to its end')
  }
  await requireNewest(session, await readJournal(session, aside), aside)
  return 'to-do'
}

/** What a later restore brought is not for this one to put away. */
async function requireNewest(session: Session, { live, at }: Journal, aside: string): Promise<void> {
  for (const { name, kind } of await listOwnSchemas(session)) {
    if (kind !== 'old' || name === aside || (await ownerOf(session, name)) === null) continue
    if ((await readPosition(session, name))?.direction !== 'done') continue
    const other = await readJournal(session, name)
    if (other.live !== live || other.at < at) continue
    throw new AppError('UNDO_NOT_POSSIBLE', `the database ${live} is not the one that the restore brought`, {
      hint: `a later restore has replaced it and keeps it as ${name}: undo that one first`,
    })
  }
}

async function lookAtUndo(
  { live, operationId }: Access,
  session: Session,
  aside: string,
): Promise<Exchange & { readonly warnings: readonly string[] }> {
  const { replaced } = await readJournal(session, aside)
  if (replaced === null) throw new AppError('UNDO_NOT_POSSIBLE', 'the restore had replaced nothing')
  const tables = withoutJournal((await readSchema(session, aside)).tables)
  const { departing, invalidViews } = await lookAtLive(session, live, 'UNDO_NOT_POSSIBLE')
  const { defaults, programs, invalidViews: invalidBefore } = replaced
  const given = { from: live, definer: 'keep' } as const
  return {
    ...{ live, source: aside, aside: ownName('undone', operationId), hiddenPrefix: hiddenPrefix() },
    ...{ departing, invalidViews, isReturn: true, warnings: [] },
    arriving: {
      ...{ defaults, tables, triggersInSource: [], invalidViews: invalidBefore },
      programs: { programs: programs.filter(({ kind }) => kind !== 'event'), ...given },
      events: { programs: programs.filter(({ kind }) => kind === 'event'), ...given },
    },
  }
}

/** It is back, which is what was asked for: what cannot be dropped now is a leftover, and swept as one. */
async function tidy(session: Session, { operationId, tableIds }: ReplacedSchema): Promise<void> {
  const [aside, undone] = [ownName('old', operationId), ownName('undone', operationId)]
  try {
    await dropOwnSchema(session, undone)
    // the tables tell themselves that they are back; where they cannot, this is what tells it
    if (tableIds !== null) await dropOwnSchema(session, aside)
  } catch {}
}
