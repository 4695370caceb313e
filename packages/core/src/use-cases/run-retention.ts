import { rm } from 'node:fs/promises'
import type { Replaced } from '../domain/operation.ts'
import { throwIfAborted, toFailure } from '../errors.ts'
import { isoNow } from '../ports/clock.ts'
import type { OperationContext, OperationHandler } from '../ports/handler.ts'
import type { WorkDeps } from '../ports/work.ts'
import { deleteBackup, finishDelete } from './delete-backup.ts'
import { readReplaced } from './restore-journal.ts'
import { RESTORE_URL_PURPOSE } from './target-url.ts'

/** Removes what has expired. What cannot be removed now is reported, stays listed, and is tried again next time. */
export function retentionHandler(deps: WorkDeps): OperationHandler {
  return {
    async run(context) {
      const backups = await removeExpiredBackups(deps, context)
      const replaced = await removeExpiredReplaced(deps, context)
      const failures = [...backups.failures, ...replaced.failures]
      return {
        state: 'completed',
        result: {
          removed: backups.removed,
          bytesFreed: backups.bytesFreed,
          replacedRemoved: replaced.removed,
          failures,
        },
        failure: null,
        backup: null,
        replaced: null,
        undone: null,
      }
    },

    async settle(_context, failure) {
      const state = failure.code === 'CANCELLED' ? 'cancelled' : 'failed'
      return { state, result: null, failure, backup: null, replaced: null, undone: null }
    },
  }
}

async function removeExpiredBackups(deps: WorkDeps, context: OperationContext) {
  const removed: string[] = []
  const failures: string[] = []
  let bytesFreed = 0
  for (const backup of await deps.catalog.backups.listExpired(isoNow(deps.clock))) {
    throwIfAborted(context.signal)
    await deps.catalog.operations.confirm(context.held)
    try {
      const begun = backup.status === 'expired' ? backup : null
      bytesFreed += begun
        ? await finishDelete(deps, begun)
        : (await deleteBackup(deps, backup.id, { evenIfPinned: false })).bytesFreed
      removed.push(backup.id)
    } catch (error) {
      deps.log.warn({ err: error, backupId: backup.id }, 'expired backup not removed')
      failures.push(`${backup.id}: ${toFailure(error).detail}`)
    }
  }
  return { removed, failures, bytesFreed }
}

async function removeExpiredReplaced(deps: WorkDeps, context: OperationContext) {
  const removed: string[] = []
  const failures: string[] = []
  for (const replaced of await deps.catalog.replaced.listExpired(isoNow(deps.clock))) {
    throwIfAborted(context.signal)
    await deps.catalog.operations.confirm(context.held)
    try {
      await removeReplaced(deps, replaced)
      removed.push(replaced.operationId)
    } catch (error) {
      deps.log.warn({ err: error, operationId: replaced.operationId }, 'expired replaced data not removed')
      failures.push(`${replaced.operationId}: ${toFailure(error).detail}`)
    }
  }
  return { removed, failures }
}

async function removeReplaced(deps: WorkDeps, replaced: Replaced): Promise<void> {
  const kept = readReplaced(replaced.ticket)
  const url = deps.seal.open(kept.sealedUrl, RESTORE_URL_PURPOSE)
  if (kept.data !== null) {
    await deps.drivers.forUrl(url).create(url, deps.driverContext).removeReplaced(kept.data)
  }
  for (const { aside } of kept.files) await rm(aside, { recursive: true, force: true })
  await deps.catalog.replaced.remove(replaced.operationId)
}
