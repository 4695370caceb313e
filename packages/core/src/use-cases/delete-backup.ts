import type { Backup } from '../domain/backup.ts'
import { isUuid } from '../domain/names.ts'
import type { WorkDeps } from '../ports/work.ts'
import { removeObjects } from './stored-backup.ts'

type DeleteDeps = Pick<WorkDeps, 'catalog' | 'storages'>

/**
 * Deletes a backup for good; the catalog keeps a tombstone. Interrupted at any moment it is not restorable any more,
 * and retention finishes the work. Rejects with BACKUP_IN_USE while it is being restored or verified.
 */
export async function deleteBackup(
  deps: DeleteDeps,
  idOrName: string,
  options: { readonly evenIfPinned: boolean },
): Promise<{ readonly bytesFreed: number }> {
  const { id } = isUuid(idOrName) ? { id: idOrName } : await deps.catalog.backups.get(idOrName)
  const backup = await deps.catalog.backups.beginDelete(id, options)
  return { bytesFreed: await finishDelete(deps, backup) }
}

/** Removes the objects of a backup whose deletion was begun, then buries it. Safe to repeat. */
export async function finishDelete(deps: DeleteDeps, backup: Backup): Promise<number> {
  const storage = await deps.storages.byName(backup.storage)
  const bytesFreed = await removeObjects(storage, backup.target, backup.id)
  await deps.catalog.backups.endDelete(backup.id)
  return bytesFreed
}
