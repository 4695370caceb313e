import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { backupDetails } from './describe.ts'
import type { LatestOptions } from './find.ts'
import { findBackup } from './find.ts'

/** Shows one backup. */
export async function showBackup(session: Session, reference: string, latest: LatestOptions): Promise<void> {
  const backup = await findBackup(session, reference, latest)
  session.show(backup, () => renderDetails(backupDetails(backup)))
}
