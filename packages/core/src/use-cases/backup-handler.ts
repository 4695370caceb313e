import type { OperationContext, OperationHandler } from '../ports/handler.ts'
import type { WorkDeps } from '../ports/work.ts'
import { databaseBackupHandler } from './run-backup.ts'
import { groupHandler } from './run-group.ts'

/** Carries out backups: of one database, or of all that a server has. */
export function backupHandler(deps: WorkDeps): OperationHandler {
  const database = databaseBackupHandler(deps)
  const group = groupHandler(deps)
  // only a group has no backup of its own
  const handlerOf = ({ operation }: Pick<OperationContext, 'operation'>) =>
    operation.backupId === null ? group : database
  return {
    run: (context) => handlerOf(context).run(context),
    settle: (context, failure) => handlerOf(context).settle(context, failure),
    isDue: async (operation) => handlerOf({ operation }).isDue?.(operation) ?? true,
  }
}
