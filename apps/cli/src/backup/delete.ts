import { requireConfirmation } from '../confirm.ts'
import type { Session } from '../session.ts'
import { bytesText, momentText } from '../text/units.ts'
import { findBackup } from './find.ts'

export interface DeleteBackupOptions {
  readonly evenIfPinned?: boolean
  readonly yes?: boolean
}

/** Deletes a backup for good. */
export async function deleteBackup(
  session: Session,
  reference: string,
  { evenIfPinned, yes }: DeleteBackupOptions,
): Promise<void> {
  const backup = await findBackup(session, reference, {})
  const when = momentText(backup.consistentAt ?? backup.createdAt)
  await requireConfirmation(session, {
    action: `delete backup ${backup.id} of ${backup.target} (${backup.status}, ${when}) for good`,
    expected: backup.name ?? backup.target,
    yes,
  })
  const { bytesFreed } = await session.client.backups.remove(backup.id, {
    evenIfPinned,
    signal: session.host.interrupted,
  })
  session.show(
    { deleted: backup.id, bytesFreed },
    () => `backup ${backup.id} is deleted, ${bytesText(bytesFreed)} freed`,
  )
}
