import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { backupDetails } from './describe.ts'
import { findBackup } from './find.ts'

/** Shows one backup. */
export async function showBackup(
  session: Session,
  reference: string,
  { target }: { readonly target?: string },
): Promise<void> {
  const backup = await findBackup(session, reference, target)
  session.show(backup, () => renderDetails(backupDetails(backup)))
}
