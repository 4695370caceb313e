import type { Backup } from '../domain/backup.ts'
import type { BackupChange } from '../ports/catalog.ts'
import type { WorkDeps } from '../ports/work.ts'
import { writeState } from './write-state.ts'

/**
 * Changes what people may change of a backup. The catalog first; then `state.json` beside the backup, so that a
 * catalog rebuilt from the storage knows it too. Safe to repeat if the storage was away.
 */
export async function changeBackup(
  deps: Pick<WorkDeps, 'catalog' | 'storages'>,
  idOrName: string,
  change: BackupChange,
): Promise<Backup> {
  const { id } = await deps.catalog.backups.get(idOrName)
  const backup = await deps.catalog.backups.change(id, change)
  // before that the worker writes it, and afterwards there is nothing to describe
  const isStored = backup.status === 'completed' || backup.status === 'damaged'
  if (isStored) await writeState(await deps.storages.byName(backup.storage), backup)
  return backup
}
