import type { RestoreRequest } from '../domain/operation.ts'
import type { Failure } from '../errors.ts'
import { AppError } from '../errors.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import { isoNow } from '../ports/clock.ts'
import type { OperationContext, OperationHandler } from '../ports/handler.ts'
import type { WorkDeps } from '../ports/work.ts'
import { discardFiles, planFiles } from './restore-files.ts'
import { readJournal } from './restore-journal.ts'
import { continueSwap, runRestore } from './run-restore.ts'
import { runUndo } from './run-undo.ts'
import { damageBy } from './run-verify.ts'
import { readManifest } from './stored-backup.ts'
import { driverOfDestination, isOwnPlace } from './target-driver.ts'

/** So often a swap that was interrupted by a crash is tried again before a person has to look. */
const SWAP_ATTEMPTS = 10

/** What requests did not say that were recorded by earlier releases. */
const EARLIER = { keepOwners: true, definer: null } as const

/** Carries out restores and their undoing. */
export function restoreHandler(deps: WorkDeps): OperationHandler {
  return {
    async run(context) {
      const { request } = context.operation
      if (request.type === 'restore') return runRestore(deps, { ...EARLIER, ...request }, context)
      if (request.type === 'undo') return runUndo(deps, request, context)
      throw new AppError('INVALID_REQUEST', `a restore cannot carry out a ${request.type}`)
    },

    async settle(context, failure) {
      await deps.catalog.operations.confirm(context.held)
      const { request } = context.operation
      if (request.type !== 'restore') return ended(failure)
      return settleRestore(deps, request, context, failure)
    },
  }
}

/**
 * A swap that failed without a crash has changed nothing, so that staged data is just removed. One that a lost
 * worker had begun may have happened: it is carried to its end, since only then is it known what the destination is.
 */
async function settleRestore(
  deps: WorkDeps,
  request: RestoreRequest,
  context: OperationContext,
  failure: Failure,
): Promise<OperationEnd> {
  const current = await deps.catalog.operations.get(context.operation.id)
  const journal = readJournal(current)
  const isOpen = context.operation.journal !== null || failure.code === 'OUTCOME_UNKNOWN'
  const mayHaveHappened = journal !== null && isOpen
  if (mayHaveHappened && current.attempts <= SWAP_ATTEMPTS) return continueSwap(deps, journal, context)
  await discardStaged(deps, request, context).catch((error) =>
    deps.log.warn(
      { err: error, operationId: context.operation.id },
      'staged data of a failed restore remains',
    ),
  )
  if (!mayHaveHappened) {
    // nobody shall be offered as restorable what was just found not to be
    const level = failure.code === 'VERIFICATION_FAILED' ? 'restore' : 'checksum'
    const verification = damageBy(failure, level, isoNow(deps.clock))
    return { ...ended(failure), backup: verification === null ? null : { kind: 'verified', verification } }
  }
  return ended({
    ...failure,
    detail: `${failure.detail}; the swap could not be carried to its end, the destination holds the old or the new data`,
  })
}

async function discardStaged(
  deps: WorkDeps,
  request: RestoreRequest,
  context: OperationContext,
): Promise<void> {
  const { driver } = await driverOfDestination(deps, request.into)
  await driver.discardStaged(context.operation.id)
  const backup = await deps.catalog.backups.get(request.backupId)
  if (backup.facts === null || backup.facts.fileCount === 0) return
  const storage = await deps.storages.byName(backup.storage)
  const manifest = await readManifest(storage, deps.signer, backup, context.signal)
  const destination = await driver.inspectDestination(context.signal)
  const plan = await planFiles({ ...deps, storage }, manifest, destination, {
    filesInto: request.filesInto,
    isOwnTarget: isOwnPlace(request.into, backup),
  })
  await discardFiles(plan, context.operation.id)
}

function ended(failure: Failure): OperationEnd {
  const state = failure.code === 'CANCELLED' ? 'cancelled' : 'failed'
  return { state, result: null, failure, backup: null, replaced: null, undone: null }
}
