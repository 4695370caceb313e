import type { Backup } from '../domain/backup.ts'
import { stateKey } from '../domain/object-keys.ts'
import type { Storage } from '../ports/storage.ts'

/** Writes beside a backup what people may change of it, so that a catalog rebuilt from the storage knows it too. */
export async function writeState(
  storage: Storage,
  backup: Pick<Backup, 'target' | 'id' | 'pinned' | 'labels' | 'note' | 'retain'>,
): Promise<void> {
  const { pinned, labels, note, retain } = backup
  const state = `${JSON.stringify({ pinned, labels, note, retain })}\n`
  await storage.replace(stateKey(backup.target, backup.id), Buffer.from(state))
}
