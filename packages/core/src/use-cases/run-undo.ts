import type { UndoRequest } from '../domain/operation.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import { isoNow } from '../ports/clock.ts'
import type { OperationContext } from '../ports/handler.ts'
import type { WorkDeps } from '../ports/work.ts'
import { unswapFiles } from './restore-files.ts'
import { readReplaced } from './restore-journal.ts'
import { RESTORE_URL_PURPOSE } from './target-url.ts'

/** Puts back what a restore had replaced. Every step can be repeated, so a crash is followed by the same run again. */
export async function runUndo(
  deps: WorkDeps,
  request: UndoRequest,
  context: OperationContext,
): Promise<OperationEnd> {
  const replaced = await deps.catalog.replaced.get(request.restoreId)
  const kept = readReplaced(replaced.ticket)
  const url = deps.seal.open(kept.sealedUrl, RESTORE_URL_PURPOSE)
  const driver = deps.drivers.forUrl(url).create(url, deps.driverContext)
  const confirm = () => deps.catalog.operations.confirm(context.held)
  context.report('swapping', { bytes: 0 })
  if (kept.data !== null) await driver.undo(kept.data, confirm, context.signal)
  await confirm()
  await unswapFiles(kept.files)
  return {
    state: 'completed',
    result: { undone: request.restoreId, restoredAt: isoNow(deps.clock), putBack: replaced.location },
    failure: null,
    backup: null,
    replaced: null,
    undone: request.restoreId,
  }
}
