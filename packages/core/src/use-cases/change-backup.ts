import type { Backup } from '../domain/backup.ts'
import { stateKey } from '../domain/object-keys.ts'
import type { BackupChange } from '../ports/catalog.ts'
import type { WorkDeps } from '../ports/work.ts'

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
  if (isStored) {
    const { pinned, labels, note, retain } = backup
    const storage = await deps.storages.byName(backup.storage)
    const state = `${JSON.stringify({ pinned, labels, note, retain })}\n`
    await storage.replace(stateKey(backup.target, backup.id), Buffer.from(state))
  }
  return backup
}
