import type { Static } from 'typebox'
import { Type } from 'typebox'
import { validate } from '../contract/validate.ts'
import type { Operation } from '../domain/operation.ts'
import { hasCode } from '../errors.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import { isoNow } from '../ports/clock.ts'
import type { DatabaseDriver, SwapResult } from '../ports/driver.ts'
import type { OperationContext } from '../ports/handler.ts'
import type { WorkDeps } from '../ports/work.ts'
import { keepParents, swapFiles, takeBackFiles } from './restore-files.ts'

const StagedDirectory = Type.Object({
  staged: Type.String(),
  destination: Type.String(),
  aside: Type.String(),
})
export type StagedDirectory = Static<typeof StagedDirectory>

/** Written before a swap begins: all that is needed to carry it to its end after a crash. */
const SwapJournal = Type.Object({
  step: Type.Literal('swap'),
  ticket: Type.String(),
  files: Type.Array(StagedDirectory),
  sealedUrl: Type.String(),
  engine: Type.String(),
  target: Type.Union([Type.String(), Type.Null()]),
  expiresAt: Type.String(),
  result: Type.Record(Type.String(), Type.Unknown()),
})
export type SwapJournal = Static<typeof SwapJournal>

/** What a finished restore keeps for undo and removal; the catalog holds it as text. */
const ReplacedRecord = Type.Object({
  sealedUrl: Type.String(),
  data: Type.Union([Type.String(), Type.Null()]),
  files: Type.Array(Type.Object({ destination: Type.String(), aside: Type.String() })),
})
export type ReplacedRecord = Static<typeof ReplacedRecord>

/** What an earlier worker had begun; null if no swap was begun. */
export function readJournal(operation: Pick<Operation, 'journal'>): SwapJournal | null {
  return operation.journal === null
    ? null
    : validate('the restore journal', SwapJournal, JSON.parse(operation.journal))
}

/** Reads back what a finished restore had kept. */
export function readReplaced(ticket: string): ReplacedRecord {
  return validate('what a restore kept aside', ReplacedRecord, JSON.parse(ticket))
}

/**
 * Swaps directories and database in. If it fails, everything is as it was and the journal is closed: only a crash, or
 * a server that goes away in the very commit, leaves it open, for {@link resumeSwap}. Directories go first, since their renames can be taken back in any case.
 */
export async function beginSwap(
  deps: WorkDeps,
  driver: DatabaseDriver,
  journal: SwapJournal,
  context: OperationContext,
): Promise<OperationEnd> {
  await deps.catalog.operations.setJournal(context.held, JSON.stringify(journal))
  try {
    return await resumeSwap(deps, driver, journal, context)
  } catch (error) {
    // the journal stays: whoever comes next carries the swap to its end, or finds that it has happened
    if (hasCode(error, 'FENCE_LOST') || hasCode(error, 'OUTCOME_UNKNOWN')) throw error
    await takeBackFiles(journal.files)
    await deps.catalog.operations.setJournal(context.held, null)
    throw error
  }
}

/** Carries a begun swap to its end, from wherever it stopped. Every step can be repeated. */
export async function resumeSwap(
  deps: WorkDeps,
  driver: DatabaseDriver,
  journal: SwapJournal,
  context: OperationContext,
): Promise<OperationEnd> {
  const { operation, held, signal } = context
  context.report('swapping', { bytes: 0 })
  const confirm = () => deps.catalog.operations.confirm(held)
  await confirm()
  const files = await swapFiles(journal.files)
  const swapped = await driver.swap(journal.ticket, confirm, signal)
  const untidied = await tidyUp(deps, driver, journal, operation.id)
  const warnings = [...swapped.warnings, ...untidied]
  return swapEnd(deps, operation.id, journal, { ...swapped, warnings }, files)
}

/** The swap has happened: trouble with what lies beside it is told, as a failure would take back its other half. */
async function tidyUp(
  deps: Pick<WorkDeps, 'log'>,
  driver: DatabaseDriver,
  journal: SwapJournal,
  operationId: string,
): Promise<readonly string[]> {
  try {
    await keepParents(journal.files, operationId)
    await driver.discardStaged(operationId)
    return []
  } catch (error) {
    deps.log.warn({ err: error, operationId }, 'staged data of a finished restore remains')
    return ['staged data beside the destination could not be removed: look at the log of the worker']
  }
}

function swapEnd(
  deps: WorkDeps,
  operationId: string,
  journal: SwapJournal,
  { replaced, warnings }: SwapResult,
  files: ReplacedRecord['files'],
): OperationEnd {
  const { sealedUrl, target, engine, expiresAt } = journal
  const locations = [
    ...(replaced === null ? [] : [replaced.location]),
    ...files.map((directory) => directory.aside),
  ]
  const keepsSomething = locations.length > 0
  const record: ReplacedRecord = { sealedUrl, data: replaced?.ticket ?? null, files }
  const location = locations.join(', ')
  const kept = keepsSomething ? { keptAt: locations, until: expiresAt } : null
  return {
    state: 'completed',
    result: { ...journal.result, restoredAt: isoNow(deps.clock), replaced: kept, warnings },
    failure: null,
    backup: null,
    replaced: keepsSomething
      ? { operationId, target, engine, ticket: JSON.stringify(record), location, expiresAt }
      : null,
    undone: null,
  }
}
